#!/bin/sh
# Goes before tailscaled.sh, in the same file, where there is a `login_server` of one's own. Headscale never tells a device
# that is connected that it was deleted: it keeps the stream open, and tailscaled stays as it is, connected to nobody. So
# this asks whether the device's key is known, with the request that relays have for it, which changes nothing there.
#
# Only a plain no counts, and only twice; a server that is down, or that knows no such request, has not said so. The next
# start then tries the device's key before it logs in: a no that was wrong costs a restart, and not the identity.

period=120 # seconds; 30 requests an hour

# Not with busybox's `timeout`: it leaves a process that its parent does not bury, and containerboot, which is PID 1, neither.
# wget gives up by itself, after a quarter of an hour.
is_unknown() { # $1: tailscaled's socket, $2: the control plane
  status=$(tailscale "$1" status --json --peers=false)
  case $status in *'"BackendState": "Running"'*) ;; *) return 1 ;; esac
  key=$(echo "$status" | sed -n 's/.*"PublicKey": *"\(nodekey:[0-9a-f]*\)".*/\1/p' | head -n 1)
  case $(wget -q -O - --post-data "{\"NodePublic\": \"$key\"}" "$2/verify" 2>/dev/null) in
  *'"Allow":false'*) ;;
  *) return 1 ;;
  esac
}

watch() {
  PATH=${PATH#*:} # past the folder that this file is in
  for flag in $TS_EXTRA_ARGS; do
    case $flag in --login-server=*) server=${flag#*=} ;; esac
  done
  sleep $(($(od -An -N1 -tu1 /dev/urandom) * period / 255)) # not in step with other replicas
  until is_unknown "$1" "$server" && sleep 1 && is_unknown "$1" "$server"; do
    sleep $period
  done
  echo "tailscale-sidecar: the control plane does not know this device any more; restarting" >&2
  kill "${$}" # tailscaled by then
}

watch "$@" &

