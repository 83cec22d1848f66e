"""A device is deleted, or its key expires, while its pod runs."""

from __future__ import annotations

from tests.cluster.deployment import Workspace

from .sidecar import LIMIT, Sidecar


def test_a_deleted_device_comes_back_as_one_device_when_its_sidecar_restarts(workspace: Workspace) -> None:
    # tailscaled does not notice its deletion by itself (github.com/tailscale/tailscale/issues/20615).
    app = workspace.deploy()
    before = app.device()
    workspace.tailnet.call("DELETE", f"/lab/devices/{before.id}")
    assert app.devices() == []
    Sidecar(app).crash()
    (after,) = app.devices()
    assert after.id != before.id
    assert "the control plane no longer knows this device" in app.logs()
    app.delete_pods(0)
    assert [device.id for device in app.devices()] == [after.id]


def test_a_device_whose_key_expires_logs_in_again_when_its_sidecar_restarts(workspace: Workspace) -> None:
    app = workspace.deploy()
    before = app.device()
    workspace.tailnet.call("POST", f"/lab/devices/{before.id}/expire")
    app.delete_pods(0)
    assert (app.device().id, app.device().addresses) == (before.id, before.addresses)
    assert app.restarts() == 0
    assert Sidecar(app).crash() < LIMIT
