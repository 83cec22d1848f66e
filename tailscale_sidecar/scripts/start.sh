# Command of the sidecar; its argument is the text of connect.sh. tailscaled starts disconnected, and containerboot's first `tailscale up` runs connect.sh,
# which decides what has to happen before the device may be on the tailnet.
set -eu

run=/run/tailscale-sidecar
mkdir -p $run/bin
printf '%s' "$1" >$run/bin/tailscale
chmod 0755 $run/bin/tailscale
echo '{"version": "alpha0", "locked": false, "enabled": false}' >$run/tailscaled.json

# After a crash, resolv.conf still names tailscaled's resolver, through which the sidecar could find nothing.
if [ -e $run/cluster.conf ]; then cat $run/cluster.conf >/etc/resolv.conf; fi

PATH=$run/bin:$PATH exec /usr/local/bin/containerboot
