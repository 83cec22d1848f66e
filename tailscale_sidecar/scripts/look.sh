# Shows how things are inside a pod, and changes nothing there; `doctor` runs it in the sidecar's container. Names are
# looked up at the nameservers that the app has, by a program that the sidecar's image has: the app's image may have
# none, and all containers of the pod share one network.
#
# $1: tailscaled's socket, $2: whether to list the peers, $3: a name of the cluster, $4: whether the app looks up the
# tailnet's names.
ended() { case $(cat "/proc/$1/stat" 2>/dev/null) in "" | *") Z "*) ;; *) return 1 ;; esac; }

within() { # runs a command for three seconds at most, without the process that busybox's `timeout` leaves to containerboot
  "$@" &
  tries=0
  until ended $! || [ $tries = 30 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill $! 2>/dev/null
  wait $!
}

ts() { within tailscale --socket="$1" "$2" "$3" "$4" 2>/dev/null; }

look_up() {
  if within nslookup "$1" "$2" 2>/dev/null | grep -q '^Name:'; then echo "$1 $2 ok"; else echo "$1 $2 failed"; fi
}

status=$(ts "$1" status --json --peers="$2")
echo "--- status"
echo "$status"
echo "--- dns"
if [ -n "$status" ]; then ts "$1" dns status --json; fi

conf=/run/tailscale-sidecar/app.conf
if [ ! -e $conf ]; then conf=/etc/resolv.conf; fi
echo "--- resolv.conf"
cat $conf

if [ -n "${MONITORING_PORT:-}" ]; then
  echo "--- counts"
  for file in /run/tailscale-sidecar/counts/*; do
    if read -r number 2>/dev/null <"$file"; then echo "${file##*/} $number"; fi
  done
fi

names=$3
if [ "$4" = true ]; then # the first is the device's own
  names="$names $(echo "$status" | sed -n 's/^[[:space:]]*"DNSName": "\(.*\)\.",$/\1/p' | head -n 1)"
fi
servers=$(awk '$1 == "nameserver" { print $2 }' $conf)
echo "--- look-ups"
for name in $names; do
  for server in $servers; do look_up "$name" "$server" & done
done
wait
