"""A pod ends while it is at work."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.table import Cell, Rows
from tests.lab import LabError
from tests.support.deployment import Deployment
from tests.support.sidecar import seconds_of
from tests.support.subjects import DEFAULT, Bench
from tests.support.termination import GRACE, SLOW_POD, await_request, end, slow_url


def termination(bench: Bench) -> Rows:
    """The pod is deleted between a request over the tailnet and its answer."""
    with bench.deployed(DEFAULT, pod_spec=SLOW_POD) as apps:
        yield apps.row("pod deleted with a request in flight over the tailnet", ended)


def ended(app: Deployment) -> Cell:
    """Whether the request is answered, who ends first, and when."""
    peer = app.workspace.deploy("peer")
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(peer.exec, "fetch", "-timeout=20s", slow_url(app))
        await_request(app)
        began = time.time()
        last = end(app)
        seconds = time.time() - began
        try:
            answered = answer.result() == "finished"
        except LabError:
            answered = False
    app_first = seconds_of(last["app"]["finishedAt"]) <= seconds_of(last["tailscale"]["finishedAt"])
    text = [
        "answered" if answered else "cut off",
        "the app ends first" if app_first else "the sidecar ends first",
        f"{seconds:.0f} s of {GRACE}",
    ]
    return Cell("; ".join(text), holds=answered and app_first and seconds < GRACE)
