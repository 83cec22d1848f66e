# Command of the sidecar. Its arguments are the texts of connect.sh and tailscaled.sh, which containerboot finds before
# the real programs. tailscaled starts disconnected, and containerboot's first `tailscale up` runs connect.sh, which
# decides what has to happen before the device may be on the tailnet.
set -eu

run=/run/tailscale-sidecar
mkdir -p $run/bin
printf '%s' "$1" >$run/bin/tailscale
printf '%s' "$2" >$run/bin/tailscaled
chmod 0755 $run/bin/*
echo '{"version": "alpha0", "locked": false, "enabled": false}' >$run/tailscaled.json

# After a crash, resolv.conf still names tailscaled's resolver, through which the sidecar could find nothing.
if [ -e $run/cluster.conf ]; then cat $run/cluster.conf >/etc/resolv.conf; fi

# The API server by its address, as every other client in a cluster has it: once tailscaled is connected, its resolver
# may know no name of the cluster, and the state would no longer be saved.
if [ -n "${KUBERNETES_SERVICE_PORT_HTTPS-}" ]; then
  export TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV=true
  case $KUBERNETES_SERVICE_HOST in *:*) export KUBERNETES_SERVICE_HOST="[$KUBERNETES_SERVICE_HOST]" ;; esac
fi

PATH=$run/bin:$PATH exec /usr/local/bin/containerboot
