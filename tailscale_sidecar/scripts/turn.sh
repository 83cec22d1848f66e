#!/bin/sh
# Goes before connect.sh, in the same file, where there is a `registration_rate`. Replicas that start together log in for
# the first time one after the other, and need not ask each other: each knows its turn from its ordinal and the rate.
# Only a replica without a device waits; after a crash of the sidecar it waits for what is left.

has_device() {
  PATH=${PATH#*:} # past the folder that this file is in
  tailscale "$1" status --json --peers=false | grep -q '"HaveNodeKey": *true'
}

await_turn() {
  turn=/run/tailscale-sidecar/turn # when it is, by the machine's uptime
  if [ ! -e $turn ]; then
    awk -v ordinal="${POD_NAME##*-}" -v rate="$REGISTRATION_RATE" '{ printf "%.2f", $1 + ordinal / rate }' /proc/uptime >$turn
  fi
  seconds=$(awk -v turn="$(cat $turn)" '{ left = turn - $1; printf "%.2f", (left > 0 ? left : 0) }' /proc/uptime)
  echo "tailscale-sidecar: the first login is in ${seconds}s: $REGISTRATION_RATE replicas a second may log in" >&2
  sleep "$seconds"
}

if [ "${2-}" = up ] && ! (has_device "$1"); then await_turn; fi

