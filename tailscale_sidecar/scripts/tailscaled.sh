#!/bin/sh
# Stands before the real `tailscaled` on the sidecar's PATH, and reads its log, for four things that nobody else says.
#
# A device that was deleted on the tailnet is told so by the control plane again and again, but tailscaled stays as it is,
# connected to nobody (https://github.com/tailscale/tailscale/issues/20615). This stops it. containerboot then ends as
# well, the kubelet starts the sidecar anew, and connect.sh logs in.
#
# Where it cannot read its state at its start, such as from an API server that is away for a moment, tailscaled goes on with none
# and refuses every login, for as long as it lives. This ends the sidecar, whose next start reads the state again.
#
# With --config tailscaled logs in as soon as `tailscale up` has given it the key, and that command then has it log in a
# second time. Mostly that only replaces the first. If the first was quicker, connect.sh has to know; it adds a line to the log
# after that command, to hear when all before it is read.
#
# Until the device is on the tailnet, containerboot does not look whether tailscaled is still there, and would wait for its
# socket as long as TS_BOOT_TIMEOUT. This ends containerboot, and so the container, whose last words the pod's status has.
set -eu
PATH=${PATH#*:}
run=/run/tailscale-sidecar

pass_log_on() {
  told=0 registered=
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in
    *"client.Login(0)"*) registered= ;;
    *"RegisterReq: got response; "*"machineAuthorized=true"*) registered=yes ;;
    *"client.Login(2)"*) if [ -n "$registered" ]; then touch $run/outrun; fi ;;
    *"tailscale-sidecar: asked tailscaled to log in") touch $run/read ;;
    *"store.New failed: "*) read_again ;;
    *"PollNetMap: "*" 404: node not found"*) stop_the_second_time ;;
    esac
  done
}

read_again() {
  echo "tailscale-sidecar: tailscaled could not read its state; restarting to read it again"
  kill "$PPID" "${$}"
}

stop_the_second_time() { # an outage looks otherwise; and once could be a control plane that was about to save the device
  told=$((told + 1))
  if [ $told != 2 ]; then return; fi
  echo "tailscale-sidecar: this device was deleted on the tailnet; restarting to log in"
  touch $run/deleted
  kill "${$}" # as Kubernetes would read the dollar signs of the other spelling
}

end_with_tailscaled() {
  pass_log_on
  echo "tailscale-sidecar: tailscaled has ended"
  kill "$PPID" 2>/dev/null || true
}

rm -f $run/log
mkfifo -m 0600 $run/log
end_with_tailscaled <$run/log >&2 &
exec tailscaled "$@" 2>$run/log
