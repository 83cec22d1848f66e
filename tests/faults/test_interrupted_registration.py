"""A pod is deleted while it registers for the first time: in the end there is one device, whenever that was."""

from __future__ import annotations

import random

import pytest

from tests.lab.shell import wait_for
from tests.support.credentials import wrong_oauth_client
from tests.support.deployment import Workspace
from tests.support.interruptions import MOMENTS, delete
from tests.support.sidecar import Sidecar


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("grace", [0, pytest.param(5, marks=pytest.mark.soak)], ids=["killed", "deleted"])
def test_there_is_one_device_in_the_end(workspace: Workspace, moment: str, grace: int) -> None:
    app = workspace.deploy(wait=False)
    wait_for(moment, lambda: MOMENTS[moment](app))
    delete(app, grace)
    app.await_ready()
    assert [device.online for device in app.devices()] == [True]


@pytest.mark.soak
def test_there_is_one_device_a_replica_after_twenty_interruptions(workspace: Workspace) -> None:
    chance = random.Random(20)  # noqa: S311 - the same moments in each run
    app = workspace.deploy(wait=False, replicas=4, pod_management_policy="Parallel")
    for _ in range(20):
        wait_for("the pod", lambda: bool(Sidecar(app).logs()))
        delete(app, chance.choice([0, 5]), *chance.sample(range(4), 2))
    app.await_ready()
    assert [device.online for device in app.devices()] == [True] * 4


def test_a_pod_that_cannot_log_in_ends_at_once_when_it_is_deleted(workspace: Workspace) -> None:
    app = workspace.deploy(wait=False, auth=wrong_oauth_client(workspace.tailnet))
    app.wait_for("the login to fail", lambda: "login failed" in Sidecar(app).logs())
    workspace.kubectl("scale", "statefulset", app.name, "--replicas=0")
    workspace.kubectl("wait", "pod", app.pod(), "--for=delete", "--timeout=10s")
