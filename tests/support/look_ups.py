"""What the app looks up: once, or in containers that do so for as long as they live."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.lab.images import APP_IMAGE
from tests.support.deployment import Deployment
from tests.support.sidecar import Sidecar

RESOLVERS = ("musl", "glibc", "go")
CLUSTER_NAME = "kubernetes.default"
TAILNET_NAME = "$(POD_NAME).lab.ts.net"  # Kubernetes fills it in: the replica's own name is as good as any


@dataclass(frozen=True)
class LookUp:
    """One look-up."""

    resolver: str
    name: str
    time: float
    error: str | None
    ms: float


def resolver_containers(*names: str, interval_ms: int = 250) -> list[dict[str, Any]]:
    """A container for each resolver, which looks the names up from its first instruction on."""
    return [
        {
            "name": resolver,
            "image": APP_IMAGE,
            "command": [f"resolve-{resolver}", "--loop", str(interval_ms), *names],
            "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "securityContext": {"readOnlyRootFilesystem": True},
        }
        for resolver in RESOLVERS
    ]


def look_ups(app: Deployment, ordinal: int = 0) -> list[LookUp]:
    """All look-ups so far of a replica's resolver containers; none of those that have not started."""
    return [
        LookUp(resolver, line["name"], line["time"], line["error"], line["ms"])
        for resolver in RESOLVERS
        for line in map(json.loads, Sidecar(app, ordinal, resolver).logs().splitlines())
    ]


def failed(look_ups: list[LookUp]) -> list[LookUp]:
    """Those that found nothing."""
    return [one for one in look_ups if one.error is not None]


def look_up(app: Deployment, name: str) -> dict[str, str]:
    """What each resolver answers for a name: addresses, or the kind of failure."""
    script = "; ".join(f"resolve-{resolver} {name} || true" for resolver in RESOLVERS)
    lines = app.exec("sh", "-c", script).splitlines()
    return {resolver: line.split()[1] for resolver, line in zip(RESOLVERS, lines, strict=True)}


def everywhere(answer: str) -> dict[str, str]:
    """The same answer of each resolver."""
    return dict.fromkeys(RESOLVERS, answer)
