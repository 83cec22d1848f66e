# Saves the kubelet's resolv.conf, once for each pod and whole or not at all, for prepare.sh to read from then on: what
# tailscaled writes later is never taken for the cluster's. It goes before prepare.sh, in the same file. A sidecar that may
# not mount has it as an init container too (tailscale-init), and the second file mounted as its own resolv.conf.
set -eu

run=/run/tailscale-sidecar
if [ ! -e $run/cluster.conf ]; then
  cat /etc/resolv.conf >$run/sidecar.conf
  cat /etc/resolv.conf >$run/cluster.conf.new
  mv $run/cluster.conf.new $run/cluster.conf
fi
