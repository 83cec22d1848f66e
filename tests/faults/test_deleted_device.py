"""A device is deleted, or its key expires, while its pod runs."""

from __future__ import annotations

import pytest

from tests.support.deployment import Workspace
from tests.support.sidecar import LIMIT, Sidecar


@pytest.mark.matrix
def test_a_deleted_device_comes_back_by_itself_as_one_device(workspace: Workspace) -> None:
    app = workspace.deploy()
    before, sidecar = app.device(), Sidecar(app)
    restarts = sidecar.status()["restartCount"]
    workspace.tailnet.call("DELETE", f"/lab/devices/{before.id}")
    assert app.devices() == []
    sidecar.await_return(restarts, seconds=120)
    (after,) = app.devices()
    assert after.id != before.id
    assert "this device was deleted on the tailnet" in app.logs()
    app.delete_pods(0)
    assert [device.id for device in app.devices()] == [after.id]


@pytest.mark.timed
def test_a_device_whose_key_expires_logs_in_again_when_its_sidecar_restarts(workspace: Workspace) -> None:
    app = workspace.deploy()
    before = app.device()
    workspace.tailnet.call("POST", f"/lab/devices/{before.id}/expire")
    app.delete_pods(0)
    assert (app.device().id, app.device().addresses) == (before.id, before.addresses)
    assert app.restarts() == 0
    assert Sidecar(app).crash() < LIMIT
