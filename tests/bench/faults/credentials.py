"""Credentials that are wrong or revoked, or an API for keys that is down."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tests.bench.recovery import Before, restarts, seconds_until_back, trouble
from tests.bench.table import Cell, Rows, counted
from tests.lab.shell import wait_for
from tests.support.credentials import revoke, revoked_oauth_client, wrong_oauth_client
from tests.support.deployment import Deployment
from tests.support.sidecar import Sidecar
from tests.support.subjects import DEFAULT, Bench, restart

SECRET_SECONDS = 120
"""The kubelet brings a changed Secret to a running pod within about a minute and a half."""


def credentials(bench: Bench) -> Rows:
    """While the state is valid nobody needs one; and a wrong one is corrected without a hand."""
    away = bench.tailnet.fault(target="oauth", status=503), bench.tailnet.fault(target="api", status=503)
    with bench.deployed(DEFAULT) as apps:
        with away[0], away[1]:
            yield apps.row("pod replaced while the OAuth and key APIs answer 503", replaced)
        apps.each(restart)
        apps.each(rotate)
        yield apps.row("pod replaced after its credential was rotated", replaced)
        apps.each(revoke)
        yield apps.row("pod replaced after its credential was revoked", replaced)
    with bench.apps(DEFAULT) as apps:
        yield from apps.rows("credentials that are no good at the first start", corrected_of_each)


def replaced(app: Deployment) -> Cell:
    """Deletes the pod; how its successor comes up."""
    before = Before.of(app)
    app.workspace.kubectl("delete", "pod", app.pod())
    wait_for("the next pod", before.has_restarted)
    return before.recovery()


def rotate(app: Deployment) -> None:
    """Gives the deployment another OAuth client, and revokes the one that it had."""
    revoke(app)
    app.change(wait=False, auth=app.workspace.oauth())


def corrected_of_each(app: Deployment) -> dict[str, Cell]:
    """What becomes of a deployment with each kind of credential that is no good."""
    tailnet = app.workspace.tailnet
    of_each = {"wrong": wrong_oauth_client(tailnet), "revoked": revoked_oauth_client(tailnet)}
    apps = [
        replace(app, name=f"{app.name}-{kind}", arguments={**app.arguments, "auth": auth})
        for kind, auth in of_each.items()
    ]
    titles = (f"{kind} credential at the first start, corrected by applying it again" for kind in of_each)
    with ThreadPoolExecutor(len(apps)) as pool:
        return dict(zip(titles, pool.map(corrected, apps), strict=True))


def corrected(app: Deployment) -> Cell:
    """Applies a good credential after the other one was refused."""
    app.apply(wait=False)
    app.wait_for("the refusal", lambda: "login failed" in Sidecar(app).logs() or restarts(app) > 0)
    pod, applied = app.uid(), time.time()
    app.change(wait=False, auth=app.workspace.oauth())
    seconds = seconds_until_back(app, applied, SECRET_SECONDS)
    if seconds is None:
        return Cell(f"not up in {SECRET_SECONDS} s; {trouble(app)}", holds=False)
    restarted = counted(restarts(app), "restart") if app.uid() == pod else "as another pod"
    return Cell(f"up after {seconds:.0f} s; {restarted}")
