"""The node's own programs end, or the control planes are away. These tests need the lab for themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.deployment import Deployment, Workspace
from tests.faults.sidecar import Sidecar, identity
from tests.lab import Lab, LabError
from tests.lab.tailnet_client import Tailnet


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    """Two replicas that every test finds healthy, and has to leave so."""
    return shared_workspace.deploy(replicas=2, pod_management_policy="Parallel")


def restarts(app: Deployment) -> list[int]:
    """How often each container of each replica was restarted."""
    pods = json.loads(app.workspace.kubectl("get", "pods", f"--selector=app={app.name}", "--output=json"))["items"]
    kinds = ("initContainerStatuses", "containerStatuses")
    return [status["restartCount"] for pod in pods for kind in kinds for status in pod["status"][kind]]


def replicas_talk(app: Deployment) -> bool:
    """Whether one replica's app answers the other's, by name and over the tailnet; both know each other's address."""
    return app.pod(1) in app.exec("fetch", f"http://{app.pod(1)}.lab.ts.net/")


def takes_commands(app: Deployment) -> bool:
    """Whether commands can be run in the pods; not while a kubelet that has just started looks for them."""
    try:
        app.exec("true")
    except LabError:
        return False
    return True


@contextmanager
def talking_over_the_tailnet(app: Deployment) -> Iterator[None]:
    """Asks for the other replica's page ten times a second; at the end, none of the requests may have failed."""
    address = app.device(1).addresses[0]
    ask = f"while [ ! -e /www/stop ]; do fetch -timeout=5s http://{address}/ >/dev/null || echo failed; sleep 0.1; done"
    app.exec("sh", "-c", f"rm -f /www/stop; ({ask}) >/www/failures 2>&1 &")
    yield
    app.wait_for("the kubelet to take commands", lambda: takes_commands(app))
    app.exec("touch", "/www/stop")
    assert app.exec("cat", "/www/failures") == ""


@pytest.mark.parametrize("component", ["kubelet", "containerd"])
def test_a_restarted_kubelet_or_containerd_is_not_noticed_on_the_tailnet(
    app: Deployment, lab: Lab, component: str
) -> None:
    before, counts = identity(app.devices()), restarts(app)
    with talking_over_the_tailnet(app):
        lab.restart(component)
        app.await_ready()
    assert restarts(app) == counts
    assert identity(app.devices()) == before


def test_after_a_reboot_of_the_node_the_same_pods_are_the_same_devices(app: Deployment, lab: Lab) -> None:
    before, counts = identity(app.devices()), restarts(app)
    lab.reboot_node()
    app.wait_for("the pods to start again", lambda: sum(restarts(app)) > sum(counts), 120)
    app.await_ready()
    app.wait_for("the devices to be online", lambda: all(device.online for device in app.devices()))
    app.wait_for("the replicas to talk", lambda: replicas_talk(app))
    assert identity(app.devices()) == before


def an_api_server_outage(app: Deployment, lab: Lab, seconds: int) -> None:
    before, counts = identity(app.devices()), restarts(app)
    sleep = f"sleep {seconds}"
    with talking_over_the_tailnet(app):
        lab.stop_component("kube-apiserver")
        lab.on_node("sh", "-c", sleep)  # the outage itself
        lab.start_component("kube-apiserver")
        app.wait_for("the API server to answer", lambda: app.status()["phase"] == "Running")
    app.await_ready()
    assert restarts(app) == counts
    assert identity(app.devices()) == before
    saved = app.workspace.get("secret", app.pod())["metadata"]["resourceVersion"]
    Sidecar(app).tailscale("set", "--exit-node-allow-lan-access=true")  # any change that has to be saved
    app.wait_for(
        "it to be saved", lambda: saved != app.workspace.get("secret", app.pod())["metadata"]["resourceVersion"]
    )


def a_control_plane_outage(app: Deployment, lab: Lab, tailnet: Tailnet, seconds: int) -> None:
    before, counts = identity(app.devices()), restarts(app)
    with talking_over_the_tailnet(app):
        with tailnet.fault(target="all", outage=True):
            app.wait_for("the devices to lose it", lambda: not any(device.online for device in app.devices()))
            lab.on_node("sh", "-c", f"sleep {seconds}")  # the outage itself
        app.wait_for("the devices to be online", lambda: all(device.online for device in app.devices()), 90)
    assert restarts(app) == counts
    assert identity(app.devices()) == before


def test_an_api_server_that_is_away_is_not_noticed_on_the_tailnet(app: Deployment, lab: Lab) -> None:
    an_api_server_outage(app, lab, 20)


def test_a_control_plane_that_is_away_is_not_noticed_between_peers(app: Deployment, lab: Lab, tailnet: Tailnet) -> None:
    a_control_plane_outage(app, lab, tailnet, 20)


@pytest.mark.soak
def test_an_api_server_that_is_away_for_two_minutes_is_not_noticed_on_the_tailnet(app: Deployment, lab: Lab) -> None:
    an_api_server_outage(app, lab, 120)


@pytest.mark.soak
def test_a_control_plane_that_is_away_for_two_minutes_is_not_noticed_between_peers(
    app: Deployment, lab: Lab, tailnet: Tailnet
) -> None:
    a_control_plane_outage(app, lab, tailnet, 120)
