"""While a setting is rolled out, no replica is on the tailnet with less strict ones than were asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.cluster.deployment import Deployment, Workspace
from tests.lab.tailnet_client import Device, Tailnet

from .sidecar import Sidecar, seconds_of


class Seen(NamedTuple):
    """What the control plane said at one moment."""

    time: float
    device: Device


@contextmanager
def watching(app: Deployment) -> Iterator[list[Seen]]:
    """Asks the control plane about the first replica's device again and again."""
    seen: list[Seen] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            now = time.time()
            seen.append(Seen(now, app.devices()[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def test_changed_tags_are_on_the_device_before_it_is_online_again(workspace: Workspace, tailnet: Tailnet) -> None:
    app = workspace.deploy(replicas=2)
    before = app.devices()
    client_id, client_secret = tailnet.oauth_client(tags=["tag:db"])
    auth = app.arguments["auth"].model_copy(update={"client_id": client_id, "client_secret": client_secret})
    with watching(app) as seen:
        app.change(auth=auth, tags=["tag:db"])
    after = app.devices()
    assert [(d.id, d.addresses) for d in after] == [(d.id, d.addresses) for d in before]
    assert {d.tags for d in after} == {("tag:db",)}
    assert [app.restarts(0), app.restarts(1)] == [0, 0]
    assert len(app.credential_requests()) == 2 * app.replicas  # the new client: one login a replica
    assert "logging in: the tags changed" in app.logs()
    since = started(app)
    assert [one for one in seen if one.time >= since and one.device.online and one.device.tags != ("tag:db",)] == []


def test_tags_that_the_credential_may_not_give_are_refused_until_it_may(workspace: Workspace, tailnet: Tailnet) -> None:
    app = workspace.deploy()
    before = app.device()
    with watching(app) as seen:
        app.change(wait=False, tags=["tag:db"])
        app.wait_for("the refusal", lambda: "login failed" in Sidecar(app).logs())
        client_id, client_secret = tailnet.oauth_client(tags=["tag:db"])
        auth = app.arguments["auth"].model_copy(update={"client_id": client_id, "client_secret": client_secret})
        app.change(auth=auth)
    assert (app.device().id, app.device().tags) == (before.id, ("tag:db",))
    assert app.restarts() == 0
    since = started(app)
    assert [one for one in seen if one.time >= since and one.device.online and one.device.tags != ("tag:db",)] == []


@pytest.mark.filterwarnings("ignore:shields_up")
def test_no_peer_can_connect_once_shields_are_asked_for(workspace: Workspace) -> None:
    app = workspace.deploy()
    peer = workspace.deploy("peer")
    address = app.device().addresses[0]
    knock = f"while :; do wget -q -T 1 -O /dev/null http://{address}/ && date +%s.%N; sleep 0.05; done >>/tmp/open 2>/dev/null &"
    peer.exec("sh", "-c", knock)
    peer.wait_for("a connection", lambda: peer.exec("cat", "/tmp/open") != "")
    app.change(shields_up=True)
    assert Sidecar(app).prefs()["ShieldsUp"]
    Sidecar(app).crash()
    connected = [float(line) for line in peer.exec("cat", "/tmp/open").splitlines()]
    pod_started = app.workspace.get("pod", app.pod())["status"]["startTime"]
    assert max(connected) < seconds_of(pod_started)
    app.change(shields_up=False)
    open_before = len(connected)
    peer.wait_for("a connection", lambda: len(peer.exec("cat", "/tmp/open").splitlines()) > open_before)


def started(app: Deployment) -> float:
    """When the first replica's sidecar started."""
    return seconds_of(Sidecar(app).status()["state"]["running"]["startedAt"])
