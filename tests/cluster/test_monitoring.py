"""What a Prometheus is told of a replica."""

from __future__ import annotations

import socket

import pytest

from tailscale_sidecar import Monitoring, UserspaceNetworking
from tailscale_sidecar.choices.networking import Networking
from tests.lab import LabError
from tests.lab.shell import wait_for
from tests.support.deployment import Workspace
from tests.support.kernel_modes import KERNEL_MODES
from tests.support.scraping import scraped
from tests.support.sidecar import Sidecar

NETWORKING: dict[str, Networking] = {**KERNEL_MODES, "userspace": UserspaceNetworking()}


@pytest.mark.parametrize("networking", NETWORKING.values(), ids=NETWORKING)
def test_another_pod_scrapes_whether_a_replica_is_connected(workspace: Workspace, networking: Networking) -> None:
    app = workspace.deploy(networking=networking, replicas=2, monitoring=Monitoring())
    found = scraped(app, 1)
    assert found["tailscale_sidecar_connected"] == 1
    assert found["tailscale_sidecar_logins_total"] == 1
    assert found['tailscale_sidecar_resolver_answers{names="cluster"}'] == 1
    assert found.get('tailscale_sidecar_resolver_answers{names="tailnet"}', 1) == 1
    assert any(name.startswith("tailscaled_") for name in found)


def test_nobody_on_the_tailnet_reaches_it_and_a_request_leaves_no_process_behind(workspace: Workspace) -> None:
    app = workspace.deploy(replicas=2, monitoring=Monitoring(port=9100))
    with pytest.raises(LabError, match="refused"):
        app.exec("fetch", "-timeout=5s", f"http://{app.device(1).addresses[0]}:9100/metrics")
    before = Sidecar(app).processes()
    address = (app.status()["podIP"], 9100)
    with socket.create_connection(address, timeout=15) as silent:
        assert silent.recv(100).startswith(b"HTTP/1.0 404 ")  # it asked for nothing, and was not waited for
    for _ in range(3):
        app.exec("fetch", f"http://{address[0]}:9100/metrics", ordinal=1)
    wait_for("what answered to end", lambda: Sidecar(app).processes() == before)


def test_routes_of_the_tailnet_that_cover_the_cluster_are_counted(workspace: Workspace) -> None:
    # Of other tests' subnet routers none offers a part of this.
    app = workspace.deploy(monitoring=Monitoring(), accept_routes=True, cluster_cidrs=["10.88.0.0/16"])
    overlapping = "tailscale_sidecar_overlapping_routes"
    assert scraped(app)[overlapping] == 0
    with workspace.tailnet.router(f"{app.name}-router", ["10.88.0.0/15", "192.0.2.0/24"]):
        wait_for("the route to be counted", lambda: scraped(app)[overlapping] == 1)
