"""What one choice (an auth method, a DNS mode, a state store, a networking mode) adds to the pod."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from .objects import Json

Owner: TypeAlias = Literal["replica", "pod", "node"]
"""Whose an identity is: a replica's, whose name is known beforehand; any pod's, by its name; or a node's, of whichever pod of
a DaemonSet runs there."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a choice is told of the pod that it adds to: plain values, and Outputs where the argument may be one."""

    name: str = ""
    """Of the workload."""
    replicas: int = 0
    first: int = 0
    """Number of the first replica."""
    owner: Owner = "replica"
    """Whose an identity is."""
    auth_secret: Any = ""
    """Name of the Secret with the credential."""
    outlives_pod: bool = True
    """Whether a deleted pod comes back as the same device."""
    waits_for_tailnet: bool = True
    """Whether the app's containers wait until the replica is on the tailnet."""
    dns_image: Any = ""
    dns_resources: Any = None
    """Of the resolver; None is the choice's own."""
    image_pull_policy: str | None = None

    def ordinals(self, count: int) -> range:
        """The numbers of the first `count` replicas."""
        return range(self.first, self.first + count)


@dataclass(frozen=True, kw_only=True)
class Additions:
    """Parts of the pod that one choice brings. All are tuples, so that additions can be summed."""

    env: tuple[Json, ...] = ()
    """Environment of the sidecar."""
    prepare_env: tuple[Json, ...] = ()
    """Environment that the sidecar has with kernel networking only, for scripts/prepare.sh."""
    scripts: tuple[str, ...] = ()
    """Files under scripts/ that run before all else at each start of the sidecar."""
    annotations: tuple[tuple[str, str], ...] = ()
    """Annotations of the pods, each a key and a value."""
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
