"""`python -m tests.screenshots`: the dashboard's pictures in the docs, of three replicas that had a bad quarter of an hour."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tailscale_sidecar import InPodSplitDns
from tests.lab import Lab, prometheus_server
from tests.lab.prometheus_server import Prometheus, prometheus
from tests.lab.shell import LabError, step
from tests.lab.tailnet_client import Tailnet
from tests.support import dashboard_page
from tests.support.browser import browser
from tests.support.dashboard_page import VIEWS
from tests.support.deployment import Deployment, Workspace
from tests.support.examples import ROOT
from tests.support.outages import control_plane_away
from tests.support.scraping import watched
from tests.support.sidecar import Sidecar, stopped

MINUTES = 15
KEY_SECONDS = 30 * 24 * 60 * 60


def main() -> int:
    """Makes them; returns the exit status."""
    page = dashboard_page.ensure()
    prometheus_server.ensure()
    lab = Lab.start()
    lab.enter()
    tailnet = Tailnet(lab.tailnet_url)
    with Workspace.temporary(lab, tailnet) as workspace, prometheus(lab.kubeconfig) as running:
        app = live(workspace, running)
        with tempfile.TemporaryDirectory() as folder, dashboard_page.page_address(page, Path(folder)) as address:
            take(address, app)
    return 0


def live(workspace: Workspace, running: Prometheus) -> Deployment:
    """Three replicas that talk to each other; one is killed, one's resolver hangs, and all lose the control plane."""
    app = watched(workspace, running, replicas=3, dns=InPodSplitDns())
    workspace.tailnet.call("POST", f"/lab/devices/{app.device().id}/expire", {"seconds": KEY_SECONDS})
    begun = time.monotonic()

    def until(minute: float) -> None:
        with step(f"until minute {minute:g} of {MINUTES}"):
            time.sleep(max(0.0, begun + minute * 60 - time.monotonic()))

    with talking(app):
        until(4)
        Sidecar(app, 1).crash()
        until(7)
        with stopped(Sidecar(app, 2, "tailscale-dns").pids("coredns")[0]):
            until(8)
        until(10)
        with control_plane_away(workspace.lab, workspace.tailnet):
            until(12)
        until(MINUTES)
    return app


@contextmanager
def talking(app: Deployment) -> Iterator[None]:
    """Replica 0 asks the others for something each second."""
    over = threading.Event()
    urls = [f"http://{app.device(ordinal).addresses[0]}/" for ordinal in (1, 2)]

    def talk() -> None:
        while not over.wait(1):
            for url in urls:
                with contextlib.suppress(LabError):  # they have a bad time
                    app.exec("fetch", "-timeout=5s", url)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def take(address: str, app: Deployment) -> None:
    """One picture for each view."""
    with browser() as opened:
        for view in VIEWS:
            page = dashboard_page.look(
                opened, address, view, minutes=MINUTES, namespace=app.workspace.namespace, statefulset=app.name
            )
            page.screenshot(path=ROOT / "docs" / f"dashboard-{view.screen}-{view.theme}.png", full_page=True)
            page.close()


if __name__ == "__main__":
    sys.exit(main())
