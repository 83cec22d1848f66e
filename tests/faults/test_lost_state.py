"""Somebody empties or deletes a replica's state Secret: it registers anew and says so; nothing crashes."""

from __future__ import annotations

from tailscale_sidecar import SecretState
from tests.support.deployment import Deployment, Workspace
from tests.support.sidecar import Sidecar
from tests.support.state import empty, rewrite, tells_of_another


def test_an_emptied_state_secret_leads_to_a_new_registration_at_the_next_start(workspace: Workspace) -> None:
    app = workspace.deploy()
    before = app.device()
    empty(app)
    app.delete_pods(0)
    (after,) = [device for device in app.devices() if device.online]
    assert after.node_key != before.node_key
    assert "logging in: the state store holds no device" in app.logs()
    assert app.restarts() == 0
    assert state_keys(app) >= {"device_id", "_machinekey", "_current-profile"}


def test_a_state_secret_emptied_under_a_running_replica_does_it_no_harm_until_it_restarts(workspace: Workspace) -> None:
    app = workspace.deploy()
    before = app.device()
    empty(app)
    assert app.device() == before
    Sidecar(app).crash()
    assert len([device for device in app.devices() if device.online]) == 1
    app.delete_pods(0)
    assert app.restarts() == 0


def test_a_state_secret_that_another_controller_rewrites_is_reported_at_the_next_start(workspace: Workspace) -> None:
    app = workspace.deploy(replicas=2)
    own, other = app.device(0), app.device(1)
    rewrite(app)
    workspace.kubectl("scale", "statefulset", app.name, "--replicas=1")
    Sidecar(app).crash()
    assert tells_of_another(app, other, own)


def test_with_open_access_a_deleted_state_secret_is_made_again(workspace: Workspace) -> None:
    app = workspace.deploy(state=SecretState(access="open"))
    workspace.kubectl("delete", "secret", app.pod())
    app.delete_pods(0)
    assert len([device for device in app.devices() if device.online]) == 1
    assert app.restarts() == 0


def test_with_scoped_access_a_deleted_state_secret_is_named_in_the_log_and_restored_by_the_next_up(
    workspace: Workspace,
) -> None:
    app = workspace.deploy()
    workspace.kubectl("delete", "secret", app.pod())
    workspace.kubectl("delete", "pod", app.pod())
    # The pod may create no Secret; the kubelet starts it again and again until there is one.
    message = f"tailscale state Secret {app.pod()} does not exist and we don't have permissions to create it"
    app.wait_for("a clear message", lambda: message in Sidecar(app).logs(), 30)
    app.apply()
    assert len([device for device in app.devices() if device.online]) == 1


def state_keys(app: Deployment) -> set[str]:
    return set(app.workspace.get("Secret", app.pod())["data"])
