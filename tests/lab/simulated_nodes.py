"""Nodes without machines: KWOK plays their kubelets. No container runs there; a pod is Ready as soon as it is bound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import binaries, cgroups, components, namespace, processes
from .lab import Lab
from .processes import Process
from .shell import wait_for

LABEL = "kwok.x-k8s.io/node"
PLACEMENT: dict[str, Any] = {
    "nodeSelector": {LABEL: "fake"},
    "tolerations": [{"key": LABEL, "operator": "Equal", "value": "fake", "effect": "NoSchedule"}],
}
"""What a pod needs to come to such a node."""
ROOM = {"cpu": "64", "memory": "256Gi", "pods": "110"}
"""Of a node; the pods are Kubernetes' default."""
LEASE_SECONDS = 40
CIDR = "10.245.0.0/16"
"""Addresses of the pods, where nobody is."""


@contextmanager
def simulated_nodes(lab: Lab, count: int) -> Iterator[None]:
    """So many nodes more in the cluster, for as long as the block lasts."""
    names = [f"simulated-{number}" for number in range(count)]
    lab.kubectl("create", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes(names)}))
    try:
        processes.start("kwok", cgroups.CONTROL, namespace.command(command(lab)), {})
        wait_for("KWOK's leases", lambda: len(leases(lab)) == count)
        yield
    finally:
        lab.kubectl("delete", "node", *names)
        if process := Process.recorded("kwok"):
            process.stop()


def command(lab: Lab) -> list[str]:
    """KWOK's command line."""
    stages = components.GENERATED / "kwok.yaml"
    stages.write_text(components.filled("kwok.yaml"), encoding="utf-8")
    return [
        str(binaries.ensure(binaries.KWOK) / "kwok"),
        f"--kubeconfig={lab.kubeconfig}",
        f"--config={stages}",
        f"--manage-nodes-with-label-selector={LABEL}=fake",
        f"--node-lease-duration-seconds={LEASE_SECONDS}",
        f"--cidr={CIDR}",
    ]


def leases(lab: Lab) -> list[str]:
    """The nodes that KWOK keeps alive."""
    found = lab.kubectl("get", "leases", "--namespace=kube-node-lease", "--output=name").split()
    return [name for name in found if "/simulated-" in name]


def nodes(names: list[str]) -> list[dict[str, Any]]:
    """The Node objects, as a kubelet registers its own."""
    labels = {LABEL: "fake"}
    taints = [{"key": LABEL, "value": "fake", "effect": "NoSchedule"}]
    ready = {"type": "Ready", "status": "True", "reason": "Simulated"}
    status = {"allocatable": ROOM, "capacity": ROOM, "conditions": [ready]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"taints": taints},
            "status": status,
        }
        for name in names
    ]
