"""A pod ends: first the app in its own time, with the tailnet still there, and then the sidecar."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.support.deployment import Workspace
from tests.support.sidecar import seconds_of
from tests.support.termination import GRACE, SLOW_POD, await_request, end, slow_url


def test_a_request_over_the_tailnet_is_finished_when_the_pod_is_deleted(workspace: Workspace) -> None:
    app, peer = workspace.deploy(pod_spec=SLOW_POD), workspace.deploy("peer")
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(peer.exec, "fetch", "-timeout=20s", slow_url(app))
        await_request(app)
        began = time.time()
        ended = end(app)
        assert answer.result() == "finished"
    assert time.time() - began < GRACE
    assert seconds_of(ended["app"]["finishedAt"]) <= seconds_of(ended["tailscale"]["finishedAt"])
    assert (ended["app"]["exitCode"], ended["tailscale"]["exitCode"]) == (0, 0)
