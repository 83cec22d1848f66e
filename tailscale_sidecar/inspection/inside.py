"""One command in a sidecar's container, which shows how things are inside the pod. It changes nothing there."""

from __future__ import annotations

import json

from .._additions import Json
from .cluster import Cluster
from .snapshot import Inside, LookUp
from .workload import Workload

SECONDS = 15
"""How long the whole command may take: all that waits in it has a shorter limit."""
MARK = "--- "

# Names are looked up at the nameservers that the app has, by a program that the sidecar's image has: the app's image
# may have none, and all containers of the pod share one network. $1: the socket, $2: whether to list the peers, $3: a
# name of the cluster, $4: whether the app looks up the tailnet's names.
SCRIPT = r"""
ts() { timeout 3 tailscale --socket="$1" "$2" "$3" "$4" 2>/dev/null; }
look_up() { timeout 3 nslookup "$1" "$2" 2>/dev/null | grep -q '^Name:' && echo "$1 $2 ok" || echo "$1 $2 failed"; }
status=$(ts "$1" status --json --peers="$2")
echo "--- status"; echo "$status"
echo "--- dns"; if [ -n "$status" ]; then ts "$1" dns status --json; fi
conf=/run/tailscale-sidecar/app.conf; [ -e $conf ] || conf=/etc/resolv.conf
echo "--- resolv.conf"; cat $conf
names=$3
if [ "$4" = true ]; then
  names="$names $(echo "$status" | sed -n 's/^ *"DNSName": "\(.*\)\.",$/\1/p' | head -n 1)"
fi
echo "--- look-ups"
for name in $names; do
  for server in $(awk '$1 == "nameserver" { print $2 }' $conf); do look_up "$name" "$server" & done
done
wait
"""


def look_inside(cluster: Cluster, pod: str, workload: Workload, *, domain: str, peers: bool) -> Inside:
    """Runs the command in a replica's sidecar.

    Raises:
        ClusterError: It could not be run.
    """
    socket = workload.env.get("TS_SOCKET") or "/tmp/tailscaled.sock"  # noqa: S108 - containerboot's default
    tailnet_names = workload.is_kernel and workload.accepts_dns
    words = (socket, str(peers).lower(), f"kubernetes.default.svc.{domain}", str(tailnet_names).lower())
    command = ("sh", "-c", SCRIPT, "look-inside", *words)
    name = str(workload.sidecar["name"])
    return read(cluster.exec(pod, workload.namespace, name, command, seconds=SECONDS))


def read(printed: str) -> Inside:
    """What the command printed."""
    parts: dict[str, list[str]] = {}
    part: list[str] = []
    for line in printed.splitlines():
        if line.startswith(MARK):
            part = parts.setdefault(line.removeprefix(MARK), [])
        else:
            part.append(line)
    words = [line.split() for line in parts.get("look-ups", ())]
    return Inside(
        status=parsed(parts.get("status", [])),
        dns=parsed(parts.get("dns", [])),
        resolv_conf="\n".join(parts.get("resolv.conf", [])),
        look_ups=tuple(LookUp(name=w[0], nameserver=w[1], works=w[2] == "ok") for w in words),
    )


def parsed(lines: list[str]) -> Json | None:
    """JSON, if it is."""
    try:
        found = json.loads("\n".join(lines))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
