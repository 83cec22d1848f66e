"""Replicas that start together register at the rate that is asked for, and wait for it once."""

from __future__ import annotations

from datetime import datetime

from tests.support.deployment import Deployment, Workspace
from tests.support.sidecar import Sidecar, seconds_of

RATE, REPLICAS = 0.5, 3


def registered_after(app: Deployment, ordinal: int) -> float:
    """Seconds from the start of a replica's sidecar to its registration."""
    requests = app.workspace.tailnet.requests("/machine/register")
    first = next(request for request in requests if request.get("hostname") == app.pod(ordinal))
    started = Sidecar(app, ordinal).status()["state"]["running"]["startedAt"]  # in whole seconds
    return datetime.fromisoformat(first["time"]).timestamp() - seconds_of(started)


def test_each_replica_registers_at_its_turn_and_never_waits_again(workspace: Workspace) -> None:
    app = workspace.deploy(replicas=REPLICAS, pod_management_policy="Parallel", registration_rate=RATE)
    for ordinal in range(REPLICAS):
        assert registered_after(app, ordinal) >= ordinal / RATE
    last = REPLICAS - 1
    assert "the first login is in" in app.logs(last)
    app.delete_pods(last)
    assert "the first login is in" not in app.logs(last)
    assert app.device(last).logins == 1
