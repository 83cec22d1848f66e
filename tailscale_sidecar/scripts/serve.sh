# Goes before start.sh, in the same file, where there is `monitoring`. It counts how often the sidecar started again, and
# has metrics.sh, whose text is the third argument, answer on the pod's own address.
set -eu

run=/run/tailscale-sidecar
if [ -e $run/started ]; then count "restarts.$(cat $run/cause 2>/dev/null || echo other)"; fi
rm -f $run/cause
touch $run/started

printf '%s' "$3" >$run/metrics.sh
listen() {
  while :; do
    nc -lk -s "$POD_IP" -p "$MONITORING_PORT" -e sh $run/metrics.sh
    sleep 1 # it ends when a connection is gone before it is accepted
  done
}
listen &

