"""While a setting is rolled out, no replica is on the tailnet with less strict ones than were asked for."""

from __future__ import annotations

import time

import pytest

from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Deployment, Workspace
from tests.support.peer import Peer
from tests.support.sidecar import Sidecar, seconds_of
from tests.support.watching import watching


def test_nobody_connects_to_a_replica_whose_new_tags_are_not_on_it_yet(workspace: Workspace, tailnet: Tailnet) -> None:
    app = workspace.deploy()
    before, peer = app.devices(), Peer.of(app)
    client_id, client_secret = tailnet.oauth_client(tags=["tag:db"])
    auth = app.arguments["auth"].model_copy(update={"client_id": client_id, "client_secret": client_secret})
    with watching(app) as seen:
        app.change(auth=auth, tags=["tag:db"])
    peer.await_connection()
    after = app.devices()
    assert [(d.id, d.addresses) for d in after] == [(d.id, d.addresses) for d in before]
    assert {d.tags for d in after} == {("tag:db",)}
    assert app.restarts() == 0
    assert len(app.credential_requests()) == 2  # a token and a key, of the new client
    assert "logging in: the tags changed" in app.logs()
    tagged = min(one.time for one in seen if one.device.tags == ("tag:db",))
    assert [moment for moment in peer.connected() if started(app) < moment < tagged - 0.5] == []


def test_tags_that_the_credential_may_not_give_are_waited_for_off_the_tailnet(
    workspace: Workspace, tailnet: Tailnet
) -> None:
    app = workspace.deploy()
    before, peer = app.device(), Peer.of(app)
    app.change(wait=False, tags=["tag:db"])
    app.wait_for("the refusal", lambda: "login failed" in Sidecar(app).logs())
    refused = time.time()
    app.wait_for("the device to be gone", lambda: not app.device().online)
    client_id, client_secret = tailnet.oauth_client(tags=["tag:db"])
    auth = app.arguments["auth"].model_copy(update={"client_id": client_id, "client_secret": client_secret})
    with watching(app) as seen:
        app.change(auth=auth)
    assert (app.device().id, app.device().tags) == (before.id, ("tag:db",))
    assert app.restarts() == 0
    tagged = min(one.time for one in seen if one.device.tags == ("tag:db",))
    assert [moment for moment in peer.connected() if started(app) < moment < tagged - 0.5] == []
    assert tagged > refused


@pytest.mark.filterwarnings("ignore:shields_up")
def test_no_peer_connects_once_shields_are_asked_for(workspace: Workspace) -> None:
    app = workspace.deploy()
    peer = Peer.of(app)
    app.change(shields_up=True)
    assert Sidecar(app).prefs()["ShieldsUp"]
    Sidecar(app).crash()
    assert max(peer.connected()) < started(app)
    app.change(shields_up=False)
    peer.await_connection()


def started(app: Deployment) -> float:
    """When the first replica's pod was on its node at the latest; the one before it had ended by then."""
    return seconds_of(app.status()["startTime"]) + 1  # its fractions are cut off
