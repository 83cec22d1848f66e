"""How a deployment comes out of a fault: when it is back, as which devices, and what that took."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.deployment import Deployment
from tests.faults.sidecar import identity
from tests.lab import LabError
from tests.lab.shell import step, wait_for

from .subjects import Apps, await_tailnet
from .table import Cell, Row, counted

PATIENCE = 45
"""Seconds until a subject that is not back is given up; what comes back by itself does so in a third of that."""


@dataclass(frozen=True)
class Before:
    """A deployment as it was before a fault."""

    app: Deployment
    time: float
    identity: object
    requests: int
    containers: list[tuple[str, int]]

    @staticmethod
    def of(app: Deployment) -> Before:
        """As it is now."""
        requests = len(app.credential_requests())
        return Before(app, time.time(), identity(app.devices()), requests, containers(app))

    def has_restarted(self) -> bool:
        """Whether the kubelet has started each sidecar again, in the same pod or in a new one."""
        return all(now != before for now, before in zip(containers(self.app), self.containers, strict=True))

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
    try:
        await_tailnet(app, patience)
    except LabError:
        return None
    return time.time() - since


def containers(app: Deployment) -> list[tuple[str, int]]:
    """Each replica's pod, and how often its sidecar was restarted."""
    return [(app.uid(ordinal), restarts(app, ordinal)) for ordinal in range(app.replicas)]


def restarts(app: Deployment, ordinal: int = 0) -> int:
    """How often a replica's sidecar was restarted."""
    return app.restarts(ordinal) if app.status(ordinal).get("containerStatuses") else 0


def trouble(app: Deployment) -> str:
    """What a person would see of a first replica that does not come back."""
    said = [line for line in [*logs(app, previous=True), *logs(app)] if re.search("error|fail|denied|requires", line)]
    words = re.sub(r"^(boot: )?[0-9/: -]+", "", said[-1])[:90] if said else "its log says nothing"
    return f"{counted(restarts(app), 'restart')}, `{words}`"


def logs(app: Deployment, *, previous: bool = False) -> list[str]:
    """The log of the first replica's sidecar, or of the one before its last restart."""
    with contextlib.suppress(LabError):
        return app.logs(previous=previous).splitlines()
    return []
