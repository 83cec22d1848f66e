"""Credentials that are wrong or revoked, or an API for keys that is down."""

from __future__ import annotations

import time

from tailscale_sidecar import OAuthClient
from tests.bench.recovery import Before, restarts, seconds_until_back, trouble
from tests.bench.subjects import DEFAULT, Bench, restart
from tests.bench.table import Cell, Rows, counted
from tests.cluster.deployment import Deployment
from tests.faults.sidecar import Sidecar
from tests.lab.shell import wait_for
from tests.lab.tailnet_client import Tailnet

SECRET_SECONDS = 120
"""The kubelet brings a changed Secret to a running pod within about a minute and a half."""


def credentials(bench: Bench) -> Rows:
    """While the state is valid nobody needs one; and a wrong one is corrected without a hand."""
    away = bench.tailnet.fault(target="oauth", status=503), bench.tailnet.fault(target="api", status=503)
    with bench.deployed(DEFAULT) as apps:
        with away[0], away[1]:
            yield apps.row("pod replaced while the OAuth and key APIs answer 503", replaced)
        apps.each(restart)
        apps.each(revoke)
        yield apps.row("pod replaced after its credential was revoked", replaced)
    with bench.apps(DEFAULT, auth=wrong_client(bench.tailnet)) as apps:
        yield apps.row("wrong credential at the first start, corrected by applying it again", corrected)


def replaced(app: Deployment) -> Cell:
    """Deletes the pod; how its successor comes up."""
    before = Before.of(app)
    app.workspace.kubectl("delete", "pod", app.pod())
    wait_for("the next pod", before.has_restarted)
    return before.recovery()


def revoke(app: Deployment) -> None:
    """Revokes the OAuth client that the deployment has."""
    app.workspace.tailnet.call("DELETE", f"/lab/oauth-clients/{app.arguments['auth'].client_id}")


def wrong_client(tailnet: Tailnet) -> OAuthClient:
    """One whose secret nobody knows."""
    client_id, secret = tailnet.oauth_client()
    return OAuthClient(client_id=client_id, client_secret=secret.replace("?", "x?"))


def corrected(app: Deployment) -> Cell:
    """Applies a right credential after the wrong one was refused."""
    app.apply(wait=False)
    app.wait_for("the refusal", lambda: "login failed" in Sidecar(app).logs() or restarts(app) > 0)
    pod, applied = app.uid(), time.time()
    app.change(wait=False, auth=app.workspace.oauth())
    seconds = seconds_until_back(app, applied, SECRET_SECONDS)
    if seconds is None:
        return Cell(f"not up in {SECRET_SECONDS} s; {trouble(app)}", holds=False)
    restarted = counted(restarts(app), "restart") if app.uid() == pod else "as another pod"
    return Cell(f"up after {seconds:.0f} s; {restarted}")
