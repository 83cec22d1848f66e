"""One command in a sidecar's container, which shows how things are inside the pod. It changes nothing there."""

from __future__ import annotations

import json
from importlib.resources import files

from ..clients.kubernetes import Cluster
from ..pod.objects import Json
from .snapshot import Inside, LookUp
from .workload import Workload

SECONDS = 15
"""How long the whole command may take: all that waits in it has a shorter limit."""
MARK = "--- "


def look_inside(cluster: Cluster, pod: str, workload: Workload, *, domain: str, peers: bool) -> Inside:
    """Runs the command in a replica's sidecar.

    Raises:
        ClusterError: It could not be run.
    """
    socket = workload.env.get("TS_SOCKET") or "/tmp/tailscaled.sock"  # noqa: S108 - containerboot's default
    tailnet_names = workload.is_kernel and workload.accepts_dns
    words = (socket, str(peers).lower(), f"kubernetes.default.svc.{domain}", str(tailnet_names).lower())
    script = files("tailscale_sidecar").joinpath("scripts", "look.sh").read_text(encoding="utf-8")
    command = ("sh", "-c", script, "look.sh", *words)
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
    counted = [line.split() for line in parts.get("counts", ())]
    return Inside(
        status=parsed(parts.get("status", [])),
        dns=parsed(parts.get("dns", [])),
        resolv_conf="\n".join(parts.get("resolv.conf", [])),
        look_ups=tuple(LookUp(name=w[0], nameserver=w[1], works=w[2] == "ok") for w in words),
        counts={name: int(number) for name, number in counted} if "counts" in parts else None,
    )


def parsed(lines: list[str]) -> Json | None:
    """JSON, if it is."""
    try:
        found = json.loads("\n".join(lines))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
