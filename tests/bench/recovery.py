"""How a deployment comes out of a fault: when it is back, as which devices, and what that took."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lab import LabError
from tests.lab.shell import step, wait_for
from tests.support.deployment import Deployment
from tests.support.sidecar import identity
from tests.support.subjects import Apps, is_connected

from .table import Cell, Row, counted

PATIENCE = 40
"""Seconds until a subject that is not back is given up; what comes back by itself does so in a third of that."""
STEADY = 4
"""Seconds that a sidecar has to stay up; a login that fails does so within two."""
REASONS = {
    "requires mentioning all": "`tailscale up` refuses to drop a flag",
    "API token invalid|ervice Unavailable|service unavailable": "asks for a new key and gets none",
    "lookup kubernetes.default.svc|Tailscale state Secret": "does not find the API server",
}
"""What a log says of trouble, in words for a table."""


@dataclass(frozen=True)
class Before:
    """A deployment as it was before a fault."""

    app: Deployment
    time: float
    identity: object
    requests: int
    containers: list[str]

    @staticmethod
    def of(app: Deployment) -> Before:
        """As it is now."""
        requests = len(app.credential_requests())
        return Before(app, time.time(), identity(app.devices()), requests, containers(app))

    def has_restarted(self) -> bool:
        """Whether the kubelet has started each sidecar again, in the same pod or in a new one."""
        return all(now not in ("", before) for now, before in zip(containers(self.app), self.containers, strict=True))

    def recovery(self, patience: float = PATIENCE) -> Cell:
        """Waits until every replica is on the tailnet, as the devices that were there before."""
        seconds = seconds_until_back(self.app, self.time, patience)
        if seconds is None:
            return Cell(f"not back in {patience:.0f} s; {trouble(self.app)}", holds=False)
        same = identity(self.app.devices()) == self.identity
        requests = len(self.app.credential_requests()) - self.requests
        text = [
            f"back in {seconds:.0f} s" if self.has_restarted() else "nothing restarts",
            "same key" if same else counted(len(self.app.devices()), "device"),
            *([counted(requests, "API call")] if requests else []),
        ]
        return Cell("; ".join(text), holds=same and requests == 0)


def recoveries(apps: Apps, title: str, fault: Callable[[], object], *, restarts: bool = False) -> Row:
    """A row of how each comes out of something that happens to all at once; if it ends their sidecars, of the next."""
    before = {one.app.name: one for one in apps.each(Before.of).values()}
    with step(f"{title}: the fault"):
        fault()

    def recovery(app: Deployment) -> Cell:
        if restarts:
            wait_for("the restart", before[app.name].has_restarted, 120)
        return before[app.name].recovery()

    return apps.row(title, recovery)


def seconds_until_back(app: Deployment, since: float, patience: float = PATIENCE) -> float | None:
    """How long after a moment every replica is on the tailnet; None if that takes too long."""
    return seconds_until(lambda: is_connected(app), app, since, patience)


def seconds_until(
    condition: Callable[[], bool], app: Deployment, since: float, patience: float = PATIENCE
) -> float | None:
    """How long after a moment a condition holds for good; None if that takes too long.

    A sidecar that will fail at its login is on the tailnet for a moment before, with the state that it has.
    """
    gives_up = time.monotonic() + patience
    while True:
        try:
            wait_for("the tailnet", condition, gives_up - time.monotonic())
        except LabError:
            return None
        held, then = time.time(), containers(app)
        time.sleep(STEADY)
        if containers(app) == then and condition():
            return held - since


def containers(app: Deployment) -> list[str]:
    """The ID of each replica's sidecar; nothing while there is none. (After a reboot the kubelet counts from 0 again.)"""
    return [str(sidecar_of(app, ordinal).get("containerID", "")) for ordinal in range(app.replicas)]


def restarts(app: Deployment, ordinal: int = 0) -> int:
    """How often a replica's sidecar was restarted."""
    return int(sidecar_of(app, ordinal).get("restartCount", 0))


def sidecar_of(app: Deployment, ordinal: int) -> dict[str, Any]:
    """What the kubelet says of a replica's sidecar; nothing while it has said nothing."""
    return next((dict(container) for container in app.containers(ordinal) if container["name"] == "tailscale"), {})


def trouble(app: Deployment) -> str:
    """What a person would see of a first replica that does not come back."""
    said = logs(app, previous=True) + logs(app)
    reasons = [reason for words, reason in REASONS.items() if re.search(words, said)]
    return ", ".join([counted(restarts(app), "restart"), *reasons[:1]])


def logs(app: Deployment, *, previous: bool = False) -> str:
    """The log of the first replica's sidecar, or of the one before its last restart."""
    with contextlib.suppress(LabError):
        return app.logs(previous=previous)
    return ""
