"""What a node's own programs do, or the node itself, changes no replica's identity, and needs no hand afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab import Lab
from tests.support.deployment import Deployment, Workspace
from tests.support.sidecar import Sidecar, identity


def kill(lab: Lab, component: str) -> None:
    lab.kill(component)
    lab.start_component(component)


def reboot(lab: Lab) -> None:
    lab.reboot_node(control_planes=True)
    lab.enter()


FAULTS: dict[str, Callable[[Lab], None]] = {
    "kubelet restarted": lambda lab: lab.restart("kubelet"),
    "kubelet killed": lambda lab: kill(lab, "kubelet"),
    "containerd restarted": lambda lab: lab.restart("containerd"),
    "containerd killed": lambda lab: kill(lab, "containerd"),
    "node rebooted": lambda lab: lab.reboot_node(),
    "everything rebooted": reboot,
}
LONG = {"everything rebooted": pytest.mark.soak}


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    return shared_workspace.deploy(replicas=2)


@pytest.mark.parametrize("fault", [pytest.param(fault, marks=LONG.get(fault, ())) for fault in FAULTS])
def test_each_replica_stays_the_same_device(app: Deployment, lab: Lab, fault: str) -> None:
    before, requests = app.devices(), len(app.credential_requests())
    restarts = [app.restarts(ordinal) for ordinal in range(app.replicas)]
    containers = containers_of(app)
    FAULTS[fault](lab)
    if "rebooted" in fault:  # until the kubelet says otherwise, the pods are as ready as before
        app.wait_for("new containers", lambda: not containers & containers_of(app))
    app.await_ready()
    app.workspace.tailnet.await_devices(app.name, app.replicas)
    assert identity(app.devices()) == identity(before)
    # The control plane's list of requests starts anew when it is rebooted too.
    assert len(app.credential_requests()) == (0 if fault == "everything rebooted" else requests)
    if "rebooted" not in fault:
        assert [app.restarts(ordinal) for ordinal in range(app.replicas)] == restarts
    assert Sidecar(app).crash() > 0  # and what comes next is survived too


def containers_of(app: Deployment) -> set[str]:
    """The IDs of the replicas' sidecars."""
    return {Sidecar(app, ordinal).container_id() for ordinal in range(app.replicas)}
