# Goes before start.sh, in the same file, where networking is the kernel's, and runs at each start of the sidecar. It sets the
# sysctls that routing needs, gives the app and tailscaled a resolv.conf each, and keeps the cluster's own addresses out of
# Tailscale's routing table. The app may be running: what is there stays as it is, and what is missing is added.
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
  if said=$(ip "$family" rule add to "$1" lookup main priority 5000 2>&1); then return 0; fi
  case $said in *"File exists"*) ;; *) echo "$said" >&2 && exit 1 ;; esac
}

words() { echo "$1" | tr ',' ' '; }

cluster_dns=$(awk '$1 == "nameserver" { printf "%s ", $2 }' $run/cluster.conf)
for address in $cluster_dns; do refuse_cgnat "$address" "The nameserver"; done
for address in $(words "$POD_IPS"); do refuse_cgnat "$address" "The pod's address"; done
for address in $(words "$HOST_IPS"); do refuse_cgnat "$address" "The node's address"; done
refuse_cgnat "$KUBERNETES_SERVICE_HOST" "The API server's address"

if [ "$FORWARD" = true ]; then
  sysctl -w net.ipv4.ip_forward=1
  if sysctl net.ipv6.conf.all.forwarding 2>/dev/null; then sysctl -w net.ipv6.conf.all.forwarding=1; fi
fi

if [ -n "$APP_NAMESERVER" ] && [ ! -e $run/app.conf ]; then
  {
    echo "nameserver $APP_NAMESERVER"
    grep -v '^[[:space:]]*nameserver' $run/cluster.conf || true
  } >$run/app.conf.new
  mv $run/app.conf.new $run/app.conf
fi

# tailscaled writes to a file that no other container sees. After a crash that file still names tailscaled's resolver,
# through which the sidecar could find nothing.
cat $run/cluster.conf >$run/sidecar.conf
if [ ! /etc/resolv.conf -ef $run/sidecar.conf ]; then mount -o bind $run/sidecar.conf /etc/resolv.conf; fi

connected=$(
  ip -4 route show table main | awk '/scope link/ && $1 != "default" { print $1 }'
  ip -6 route show table main 2>/dev/null | awk '/proto kernel/ && !/dev tailscale0/ && $1 !~ /^fe80:|^default$/ { print $1 }'
)
for destination in $cluster_dns $(words "$HOST_IPS") $KUBERNETES_SERVICE_HOST $connected $(words "$CLUSTER_CIDRS"); do
  keep_in_cluster "$destination"
done
# While tailscaled is down, a look-up at its resolver must fail, and never reach a tailscaled on the node.
ip route replace unreachable 100.100.100.100/32

touch $run/prepared
