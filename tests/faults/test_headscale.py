"""A Headscale that deletes a node, restarts, or stays away, while the node's pod runs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.lab import headscale_server
from tests.lab.headscale_server import Headscale
from tests.support.deployment import Deployment, Workspace
from tests.support.headscale import arguments
from tests.support.sidecar import Sidecar, identity

pytestmark = pytest.mark.wide

PERIOD, RESTART = 120, 30
"""Seconds between two looks whether the node is known, and, at most, from there until it is back."""


@pytest.fixture
def app(shared_workspace_on_headscale: Workspace, headscale: Headscale) -> Deployment:
    return shared_workspace_on_headscale.deploy(**arguments(headscale, replicas=2, pod_management_policy="Parallel"))


def test_a_node_that_is_deleted_while_it_is_connected_comes_back_as_one_node(
    app: Deployment, headscale: Headscale
) -> None:
    before, other = app.devices()
    sidecar = Sidecar(app)
    headscale.delete(before.id)
    deleted = time.monotonic()
    sidecar.await_return(restarts_before=0, seconds=PERIOD + RESTART)
    assert time.monotonic() - deleted < PERIOD + RESTART
    after, same = app.devices()
    assert after.id != before.id
    assert after.fqdn == before.fqdn
    assert identity([same]) == identity([other])
    assert [app.restarts(0), app.restarts(1)] == [1, 0]
    app.delete_pods(0)
    assert identity(app.devices()) == identity([after, same])


def test_a_node_that_is_deleted_while_headscale_restarts_comes_back_as_one_node(
    app: Deployment, headscale: Headscale
) -> None:
    before, other = app.devices()
    headscale.delete(before.id)
    headscale_server.stop()
    headscale_server.start()
    Sidecar(app).await_return(restarts_before=0)
    after, same = app.devices()
    assert after.id != before.id
    assert identity([same]) == identity([other])
    assert app.restarts(1) == 0


@pytest.mark.soak
def test_an_outage_ends_no_node_and_brings_thirty_questions_an_hour(app: Deployment) -> None:
    before, pods = app.devices(), [app.status(ordinal)["podIP"] for ordinal in (0, 1)]
    processes = Sidecar(app).processes()
    headscale_server.stop()
    with unavailable() as asked:
        app.wait_for("each to ask three times", lambda: all(len(asked.get(pod, ())) >= 3 for pod in pods), 4 * PERIOD)
    headscale_server.start()
    app.wait_for("the nodes to be back", lambda: [node.online for node in app.devices()] == [True, True])
    assert identity(app.devices()) == identity(before)
    assert [app.restarts(0), app.restarts(1)] == [0, 0]
    app.wait_for("all that asked to be gone", lambda: Sidecar(app).processes() <= processes)
    assert min(later - earlier for pod in pods for earlier, later in itertools.pairwise(asked[pod])) >= PERIOD


@contextmanager
def unavailable() -> Iterator[dict[str, list[float]]]:
    """A proxy whose Headscale is away; yields when each pod asked for its node."""
    asked: dict[str, list[float]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.path == "/verify":
                asked.setdefault(self.client_address[0], []).append(time.monotonic())
            self.send_error(503)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    host, _, port = headscale_server.LISTEN.rpartition(":")
    with ThreadingHTTPServer((host, int(port)), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield asked
        http.shutdown()
