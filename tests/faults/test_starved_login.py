"""tailscaled logs in by itself before the command that asks it to, on a node with no CPU to spare for that command."""

from __future__ import annotations

import json

from tests.support.deployment import Workspace
from tests.support.sidecar import Sidecar, starved

REPLICAS = 4


def test_a_login_that_was_quicker_than_its_command_leaves_a_device_that_asks_for_nothing(workspace: Workspace) -> None:
    app = workspace.deploy(wait=False, replicas=REPLICAS, pod_management_policy="Parallel")
    with starved("tailscale", app):
        app.await_ready()
    sidecars = [Sidecar(app, ordinal) for ordinal in range(REPLICAS)]
    app.wait_for("an end of the login errors", lambda: all(is_well(sidecar) for sidecar in sidecars))
    assert [device.online for device in app.devices()] == [True] * REPLICAS


def is_well(sidecar: Sidecar) -> bool:
    """Whether it is on the tailnet, and tailscaled has nothing to complain of."""
    status = json.loads(sidecar.tailscale("status", "--json"))
    return status["BackendState"] == "Running" and not status["Health"]
