"""Moments of a first registration, and pods that are deleted at one."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.deployment import Deployment
from tests.support.sidecar import Sidecar

MOMENTS: dict[str, Callable[[Deployment], bool]] = {
    "when the sidecar starts": lambda app: bool(Sidecar(app).logs()),
    "when it asks for a token": lambda app: len(app.credential_requests()) >= 1,
    "when it has a key": lambda app: len(app.credential_requests()) >= 2,
    "when its device is there": lambda app: bool(app.devices()),
}


def delete(app: Deployment, grace: int, *ordinals: int) -> None:
    """Deletes pods in their own time, or without any."""
    force = [f"--grace-period={grace}", *(["--force"] if grace == 0 else [])]
    app.workspace.kubectl("delete", "pod", *map(app.pod, ordinals or (0,)), *force, "--ignore-not-found")
