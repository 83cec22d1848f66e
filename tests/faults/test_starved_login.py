"""tailscaled logs in by itself before the command that asks it to, on a node with no CPU to spare for that command."""

from __future__ import annotations

import json

from tests.support.deployment import Deployment, Workspace
from tests.support.sidecar import Sidecar, is_command, reads_the_log, starved

REPLICAS = 4


def test_a_login_that_was_quicker_than_its_command_leaves_a_device_that_asks_for_nothing(workspace: Workspace) -> None:
    app = workspace.deploy(wait=False, replicas=REPLICAS, pod_management_policy="Parallel")
    with starved(app, is_command):
        app.await_ready()
    await_well(app)


def test_such_a_login_is_noticed_however_late_the_log_of_it_is_read(workspace: Workspace) -> None:
    app = workspace.deploy(wait=False, replicas=REPLICAS, pod_management_policy="Parallel")
    with starved(app, is_command), starved(app, reads_the_log, seconds=6):
        app.await_ready()
    await_well(app)


def await_well(app: Deployment) -> None:
    """Waits until each replica is on the tailnet, with a tailscaled that has nothing to complain of."""
    sidecars = [Sidecar(app, ordinal) for ordinal in range(REPLICAS)]
    app.wait_for(lambda: f"an end of {list(map(complaints, sidecars))}", lambda: not any(map(complaints, sidecars)))
    assert [device.online for device in app.devices()] == [True] * REPLICAS


def complaints(sidecar: Sidecar) -> list[str]:
    """What keeps it off the tailnet, or its tailscaled complains of."""
    status = json.loads(sidecar.tailscale("status", "--json"))
    return [*([] if status["BackendState"] == "Running" else [status["BackendState"]]), *(status["Health"] or ())]
