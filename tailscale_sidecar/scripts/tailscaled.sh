#!/bin/sh
# Stands before the real `tailscaled` on the sidecar's PATH, and reads its log. A device that was deleted on the tailnet
# is told so by the control plane again and again, but tailscaled stays as it is, connected to nobody
# (https://github.com/tailscale/tailscale/issues/20615). This stops it. containerboot then ends as well, the kubelet
# starts the sidecar anew, and connect.sh logs in.
set -eu
PATH=${PATH#*:}
run=/run/tailscale-sidecar

pass_log_on() {
  told=0
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in *"PollNetMap: "*" 404: node not found"*) told=$((told + 1)) ;; *) continue ;; esac
    if [ $told = 2 ]; then # an outage looks otherwise; and once could be a control plane that was about to save the device
      echo "tailscale-sidecar: this device was deleted on the tailnet; restarting to log in"
      touch $run/deleted
      kill "${$}" # as Kubernetes would read the dollar signs of the other spelling
    fi
  done
}

rm -f $run/log
mkfifo -m 0600 $run/log
pass_log_on <$run/log >&2 &
exec tailscaled "$@" 2>$run/log
