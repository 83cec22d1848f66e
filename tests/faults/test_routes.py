"""A tailnet node advertises the cluster's own addresses, while replicas accept routes: the cluster goes on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tailscale_sidecar import ClusterDns, InPodSplitDns
from tailscale_sidecar.choices.dns import Dns
from tests.lab.settings import FAMILIES
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.sidecar import Sidecar

NODES = ["10.200.0.0/24", "fd00:10:200::/64"][: len(FAMILIES)]
CLUSTER = [*NODES, *(cidr for family in FAMILIES for cidr in (family.pods, family.services))]
MORE_SPECIFIC = ["10.96.0.0/28", "10.244.0.0/24", "10.200.0.1/32"]
OTHER = "10.99.0.0/16"
PROBE = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 2}
PROBED = {**APP, "livenessProbe": PROBE, "readinessProbe": PROBE}


@pytest.fixture(scope="module")
def apps(shared_workspace: Workspace, tailnet: Tailnet) -> Iterator[list[Deployment]]:
    """One deployed before such a node comes, one after."""
    before = deploy(shared_workspace, InPodSplitDns())
    with tailnet.router("overlap", [*CLUSTER, *MORE_SPECIFIC, OTHER]):
        after = deploy(shared_workspace, ClusterDns())
        for app in (before, after):
            app.wait_for("the routes", partial(has_other_route, app))
        yield [before, after]


def deploy(workspace: Workspace, dns: Dns) -> Deployment:
    pod_spec = {"containers": [PROBED], "terminationGracePeriodSeconds": 5}
    return workspace.deploy(dns=dns, pod_spec=pod_spec, accept_routes=True, cluster_cidrs=CLUSTER)


def table_52(app: Deployment) -> str:
    return app.exec("ip", "route", "show", "table", "52", container="tailscale")


def has_other_route(app: Deployment) -> bool:
    return OTHER in table_52(app)


def way_to(app: Deployment, address: str) -> str:
    return app.exec("ip", "route", "get", address, container="tailscale")


WHEN = pytest.mark.parametrize("when", [0, 1], ids=["deployed before", "deployed after"])


@WHEN
def test_other_routes_are_accepted(apps: list[Deployment], when: int) -> None:
    assert "dev tailscale0" in way_to(apps[when], "10.99.1.1")


@WHEN
def test_the_clusters_addresses_are_reached_inside_the_cluster(apps: list[Deployment], when: int) -> None:
    other_pod = [entry["ip"] for entry in apps[1 - when].status()["podIPs"]]
    services = [family.dns for family in FAMILIES]
    nodes = [family.node for family in FAMILIES]
    for address in (*other_pod, *services, *nodes):
        assert "tailscale0" not in way_to(apps[when], address)


@WHEN
def test_cluster_dns_and_other_pods_answer(apps: list[Deployment], when: int) -> None:
    app, other = apps[when], apps[1 - when]
    for resolver in ("musl", "glibc", "go"):
        assert "10.96.0.1" in app.exec(f"resolve-{resolver}", "kubernetes.default")
    for entry in other.status()["podIPs"]:
        address = f"[{entry['ip']}]" if ":" in entry["ip"] else entry["ip"]
        assert other.pod() in app.exec("fetch", "-timeout=5s", f"http://{address}/")


@WHEN
def test_the_state_is_saved_and_the_probes_succeed(apps: list[Deployment], when: int) -> None:
    sidecar = Sidecar(apps[when])
    sidecar.tailscale("set", "--nickname=saved")
    assert "error getting Secret" not in sidecar.logs()
    status = apps[when].status()
    assert [c["ready"] for c in status["containerStatuses"]] == [True]
    assert [c["restartCount"] for c in status["containerStatuses"]] == [0]
    assert sidecar.status()["restartCount"] == 0


@WHEN
def test_the_same_holds_after_a_crash(apps: list[Deployment], when: int) -> None:
    Sidecar(apps[when]).crash()
    apps[when].wait_for("the routes", lambda: OTHER in table_52(apps[when]))
    test_the_clusters_addresses_are_reached_inside_the_cluster(apps, when)
    test_cluster_dns_and_other_pods_answer(apps, when)
