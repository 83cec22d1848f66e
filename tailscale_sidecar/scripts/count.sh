#!/bin/sh
# Goes before what counts for `monitoring`, in the same file. A count lasts as long as the pod.
count() { # $1: the metric, and after a dot its label
  counts=/run/tailscale-sidecar/counts
  mkdir -p $counts
  number=0
  if [ -e "$counts/$1" ]; then read -r number <"$counts/$1"; fi
  echo $((number + 1)) >$counts.new
  mv $counts.new "$counts/$1"
}
