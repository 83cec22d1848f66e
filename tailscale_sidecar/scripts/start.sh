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

# The API server by its address, as every other client in a cluster has it: once tailscaled is connected, its resolver
# may know no name of the cluster, and the state would no longer be saved.
if [ -n "${KUBERNETES_SERVICE_PORT_HTTPS-}" ]; then
  export TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV=true
  case $KUBERNETES_SERVICE_HOST in *:*) export KUBERNETES_SERVICE_HOST="[$KUBERNETES_SERVICE_HOST]" ;; esac
fi

# In a new pod the app's resolver comes first. The kubelet, which asks once a second, would take longer to notice it.
if [ -n "${RESOLVER_READY_PORT-}" ] && [ ! -e $run/device ]; then
  case $POD_IP in *:*) address="[$POD_IP]" ;; *) address=$POD_IP ;; esac
  said=
  until wget -q -Y off -O /dev/null "http://$address:$RESOLVER_READY_PORT/ready" 2>/dev/null; do
    if [ -z "$said" ]; then echo "tailscale-sidecar: waiting for the resolver, container tailscale-dns" >&2; fi
    said=yes
    sleep 0.1
  done
fi

PATH=$run/bin:$PATH exec /usr/local/bin/containerboot
