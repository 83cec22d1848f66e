"""The API server, the control plane or the API for keys is away: traffic goes on, and nothing restarts."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.lab import Lab
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Deployment, Workspace
from tests.support.outages import api_server_away, control_plane_away
from tests.support.peer import Peer
from tests.support.sidecar import LIMIT, Sidecar, identity
from tests.support.state import saved

pytestmark = pytest.mark.soak
SHORT, LONG = 30, 120


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    return shared_workspace.deploy()


@pytest.fixture(scope="module")
def peer(app: Deployment) -> Peer:
    return Peer.of(app)


@pytest.mark.parametrize("away", [api_server_away, control_plane_away])
@pytest.mark.parametrize("seconds", [SHORT, LONG])
def test_peers_go_on_talking_and_nothing_restarts(
    app: Deployment, peer: Peer, lab: Lab, tailnet: Tailnet, seconds: float, away: Callable[..., object]
) -> None:
    before, restarts = app.devices(), app.restarts()
    peer.await_connection()
    began = time.time()
    with away(lab, tailnet):  # type: ignore[attr-defined]
        time.sleep(seconds)  # how long the fault lasts
    ended = time.time()
    tailnet.await_devices(app.name, 1)
    assert peer.longest_gap(began, ended) < 3
    assert (app.restarts(), peer.peer.restarts()) == (restarts, 0)
    assert identity(app.devices()) == identity(before)
    app.await_ready()


def test_state_is_saved_again_when_the_api_server_is_back(app: Deployment, lab: Lab) -> None:
    sidecar = Sidecar(app)
    restarts = app.restarts()
    lab.restart("kube-apiserver")  # cuts the connections that tailscaled has kept open
    # The Service follows some seconds later.
    ask = "echo | nc -w 1 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT_HTTPS && echo there"
    app.wait_for("the API server's Service", lambda: bool(sidecar.shell(ask)))
    sidecar.tailscale("set", "--nickname=saved-again")
    assert "saved-again" in saved(app)
    assert app.restarts() == restarts


def test_replicas_restart_and_connect_while_the_api_for_keys_is_away(app: Deployment, tailnet: Tailnet) -> None:
    before = app.devices()
    with tailnet.fault(target="oauth", status=503), tailnet.fault(target="api", status=503):
        app.delete_pods(0)
        assert Sidecar(app).crash() < LIMIT
    assert identity(app.devices()) == identity(before)


def test_a_replica_that_starts_while_the_control_plane_is_away_connects_when_it_is_back(
    app: Deployment, tailnet: Tailnet
) -> None:
    before = app.devices()
    with control_plane_away(app.workspace.lab, tailnet):
        app.workspace.kubectl("delete", "pod", app.pod())
        app.wait_for("the new sidecar", lambda: "Running 'tailscale up'" in Sidecar(app).logs())
        time.sleep(10)  # how long the fault lasts
    app.await_ready()
    assert app.restarts() == 0
    assert identity(app.devices()) == identity(before)
