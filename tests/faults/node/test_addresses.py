"""A cluster whose addresses lie in 100.64.0.0/10, the tailnet's own range: it is said at the start, or made to work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tailscale_sidecar import ClusterDns, UserspaceNetworking
from tests.lab import Lab
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.doctor import doctor, names, target
from tests.support.sidecar import Sidecar

PODS, DNS_SERVICE = "100.80.0.0/24", "100.81.0.10"


@pytest.fixture
def pods_inside(lab: Lab) -> Iterator[None]:
    """The pods' addresses lie in it."""
    with lab.other_pod_network(PODS):
        yield


@pytest.mark.usefixtures("pods_inside")
def test_a_pod_whose_address_lies_in_it_says_so_and_how_to_go_on(workspace: Workspace) -> None:
    app = workspace.deploy(wait=False)
    await_refusal(app)
    app.wait_for("the kubelet to write the address, too", lambda: "podIP" in app.status())
    assert f"The pod's address {app.status()['podIP']} lies in 100.64.0.0/10" in refusal(app)
    assert "UserspaceNetworking()" in refusal(app)
    assert app.devices() == []
    taken = {"address-in-tailnet-range", "cluster-in-tailnet-range"}
    app.wait_for("the findings", lambda: names(doctor(workspace, target(app))) == taken)


@pytest.mark.usefixtures("pods_inside")
def test_userspace_networking_works_in_such_a_cluster(workspace: Workspace) -> None:
    app = workspace.deploy(replicas=2, networking=UserspaceNetworking())
    address = app.status(1)["podIP"]
    assert address.startswith("100.80.0.")
    assert "10.96.0.1" in app.exec("resolve-musl", "kubernetes.default")
    assert app.pod(1) in app.exec("fetch", "-timeout=5s", f"http://{address}/")
    through_tailnet = f"http_proxy=http://localhost:1055 fetch -timeout=5s http://{app.device(1).addresses[0]}/"
    assert app.pod(1) in app.exec("sh", "-c", through_tailnet)


def test_a_cluster_whose_dns_service_lies_in_it_is_refused(workspace: Workspace) -> None:
    dns = {"dnsPolicy": "None", "dnsConfig": {"nameservers": [DNS_SERVICE]}}
    app = workspace.deploy(wait=False, dns=ClusterDns(), pod_spec={"containers": [APP], **dns})
    await_refusal(app)
    assert f"The nameserver {DNS_SERVICE} lies in 100.64.0.0/10" in refusal(app)


def await_refusal(app: Deployment) -> None:
    app.wait_for("the sidecar to end", lambda: "100.64.0.0/10" in refusal(app))


def refusal(app: Deployment) -> str:
    """What the pod's status says."""
    return Sidecar(app).last_words()
