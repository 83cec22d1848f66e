#!/bin/sh
# Goes before tailscaled.sh, in the same file, where there is `monitoring`. Whoever ends the sidecar there does it by `kill`;
# why stays for the next start, which counts it.
kill() {
  case $1 in "$PPID") cause=tailscaled_ended ;; *) cause=device_deleted ;; esac
  if [ ! -e /run/tailscale-sidecar/cause ]; then echo $cause >/run/tailscale-sidecar/cause; fi
  command kill "$@"
}

