# Runs once for each pod, before its other containers (init container tailscale-init, kernel mode only).
# It sets the sysctls that routing needs, writes a resolv.conf for the app and one for the sidecar,
# and keeps the cluster's own addresses out of Tailscale's routing table.
set -eu

run=/run/tailscale-sidecar

refuse_cgnat() { # Tailscale drops packets from 100.64.0.0/10 that did not come through its own device
  case $1 in
  100.6[4-9].* | 100.[7-9][0-9].* | 100.1[01][0-9].* | 100.12[0-7].*)
    echo "$2 $1 lies in 100.64.0.0/10, which belongs to the tailnet: kernel networking would cut it off." \
      "Use UserspaceNetworking(), or a cluster whose pod, service and node CIDRs are elsewhere." >&2
    exit 1
    ;;
  esac
}

keep_in_cluster() { # a rule ahead of tailscaled's own (5210 to 5270); it outlasts restarts of the containers
  family=-4
  case $1 in *:*) family=-6 ;; esac
  if [ "$family" = -6 ] && [ ! -e /proc/net/if_inet6 ]; then return 0; fi
  ip "$family" rule del to "$1" lookup main priority 5000 2>/dev/null || true
  ip "$family" rule add to "$1" lookup main priority 5000
}

words() { echo "$1" | tr ',' ' '; }

if [ "$FORWARD" = true ]; then
  sysctl -w net.ipv4.ip_forward=1
  if sysctl net.ipv6.conf.all.forwarding 2>/dev/null; then sysctl -w net.ipv6.conf.all.forwarding=1; fi
fi

# The kubelet's own resolv.conf: tailscaled never sees it, so whatever becomes of tailscaled, it stays as it is.
cluster_dns=$(awk '$1 == "nameserver" { printf "%s ", $2 }' /etc/resolv.conf)
cat /etc/resolv.conf >$run/cluster.conf
cat /etc/resolv.conf >$run/sidecar.conf
if [ -n "$APP_NAMESERVER" ]; then
  { echo "nameserver $APP_NAMESERVER"; grep -v '^[[:space:]]*nameserver' /etc/resolv.conf || true; } >$run/app.conf
fi
if [ -n "$COREFILE" ]; then
  pod_address=${POD_IPS%%,*}
  case $pod_address in *:*) pod_address="[$pod_address]" ;; esac
  echo "$COREFILE" | sed "s/CLUSTER_DNS/$cluster_dns/; s/POD_ADDRESS/$pod_address/" >$run/Corefile
fi

for address in $cluster_dns; do refuse_cgnat "$address" "The nameserver"; done
for address in $(words "$POD_IPS"); do refuse_cgnat "$address" "The pod's address"; done
for address in $(words "$HOST_IPS"); do refuse_cgnat "$address" "The node's address"; done
refuse_cgnat "$KUBERNETES_SERVICE_HOST" "The API server's address"

connected=$(
  ip -4 route show table main | awk '/scope link/ && $1 != "default" { print $1 }'
  ip -6 route show table main 2>/dev/null | awk '/proto kernel/ && $1 !~ /^fe80:|^default$/ { print $1 }'
)
for destination in $cluster_dns $(words "$HOST_IPS") $KUBERNETES_SERVICE_HOST $connected $(words "$CLUSTER_CIDRS"); do
  keep_in_cluster "$destination"
done
# While tailscaled is down, a look-up at its resolver must fail, and never reach a tailscaled on the node.
ip route replace unreachable 100.100.100.100/32
ip rule
