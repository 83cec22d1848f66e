"""What one choice (an auth method, a DNS mode, a state store, a networking mode) adds to the pod."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
"""A Kubernetes object or a part of one: camelCase keys, JSON values, and Outputs as leaves.

Where one is handed to a resource of Pulumi's SDK it is typed Any: the SDK's TypedDicts know only its own spelling."""


@dataclass(frozen=True, kw_only=True)
class Additions:
    """Parts of the pod that one choice brings. All are tuples, so that additions can be summed."""

    env: tuple[Json, ...] = ()
    """Environment of the sidecar."""
    prepare_env: tuple[Json, ...] = ()
    """Environment of the init container that runs scripts/prepare.sh."""
    flags: tuple[str, ...] = ()
    """Flags of `tailscale up`."""
    volumes: tuple[Json, ...] = ()
    mounts: tuple[Json, ...] = ()
    """Volume mounts of the sidecar."""
    app_mounts: tuple[Json, ...] = ()
    """Volume mounts of each of the user's containers."""
    sidecars: tuple[Json, ...] = ()
    """Native sidecars that start before the tailscale container."""
    volume_claim_templates: tuple[Json, ...] = ()
    rules: tuple[Json, ...] = ()
    """Rules of the Role that the ServiceAccount gets."""

    def __add__(self, other: Additions) -> Additions:
        return Additions(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


def env_value(name: str, value: Any) -> Json:
    """An environment variable with a value of its own."""
    return {"name": name, "value": value}


def env_field(name: str, path: str) -> Json:
    """An environment variable from a field of the pod (the downward API)."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


NEVER = 2_147_483_647
"""Failures of a start-up probe before it restarts its container: the largest that Kubernetes takes, 68 years."""


def startup_probe(path: str, port: int) -> Json:
    """Holds back what starts after the container, for as long as it takes. It is never what restarts it."""
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1, "failureThreshold": NEVER}
