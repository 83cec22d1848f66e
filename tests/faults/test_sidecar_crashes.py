"""The sidecar's container ends in other ways than tailscaled's death: nobody has to do anything, and no device is new."""

from __future__ import annotations

import pytest

from tests.support.deployment import Deployment, Workspace
from tests.support.sidecar import LIMIT, Sidecar, identity

pytestmark = [pytest.mark.timed, pytest.mark.matrix]


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    """A replica for each test: the kubelet waits longer and longer before it restarts the same container."""
    return shared_workspace.deploy(
        replicas=3, pod_management_policy="Parallel", resources={"limits": {"memory": "192Mi"}}
    )


def test_a_killed_containerboot_comes_back_as_the_same_device(app: Deployment) -> None:
    before = app.devices()
    assert Sidecar(app, 0).crash("containerboot") < LIMIT
    assert identity(app.devices()) == identity(before)


def test_a_sidecar_out_of_memory_comes_back_as_the_same_device(app: Deployment) -> None:
    before, sidecar = app.devices(), Sidecar(app, 1)
    # Files in memory count as the container's, and are small prey beside tailscaled.
    assert (
        sidecar.crash(fault=lambda: sidecar.shell("dd if=/dev/zero of=/run/tailscale-sidecar/hog bs=1M count=256"))
        < LIMIT
    )
    assert sidecar.status()["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert identity(app.devices()) == identity(before)


def test_a_sidecar_that_is_killed_again_while_it_starts_comes_back_as_the_same_device(app: Deployment) -> None:
    before, sidecar = app.devices(), Sidecar(app, 2)
    sidecar.kill()
    app.wait_for("the second start", lambda: sidecar.status()["restartCount"] == 1)
    assert sidecar.crash("containerboot") < LIMIT
    assert sidecar.status()["restartCount"] == 2
    assert identity(app.devices()) == identity(before)


def test_a_pod_that_is_deleted_again_while_it_starts_comes_back_as_the_same_device(app: Deployment) -> None:
    before = app.devices()
    first = app.uid()
    app.workspace.kubectl("delete", "pod", app.pod())
    app.wait_for("its successor", lambda: app.uid() not in ("", first))
    app.delete_pods(0)
    assert identity(app.devices()) == identity(before)
    assert len(app.credential_requests()) == 2 * app.replicas
