"""How packets get to and from the pod, with and without privileges."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tailscale_sidecar import KernelNetworking, PersistentVolumeState, SecretState, UserspaceNetworking
from tailscale_sidecar.choices.state import State
from tests.lab import LabError
from tests.lab.settings import UPSTREAM_DNS
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.kernel_modes import CAN_ROUTE, IN_USER_NAMESPACE, KERNEL_MODES, TUN
from tests.support.sidecar import Sidecar, comm, identity, pids_of_pod

FIRST_OF_PODS = 65536
"""Users below are the node's own: the kubelet gives pods the IDs after the first 65536."""

RESTRICTED: dict[str, Any] = {
    **APP,
    "env": [{"name": "PORT", "value": "8080"}],
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 101,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


def enforce(workspace: Workspace, level: str) -> None:
    workspace.kubectl("label", "namespace", workspace.namespace, f"pod-security.kubernetes.io/enforce={level}")


def restricted(workspace: Workspace, **arguments: Any) -> Deployment:
    spec = {"containers": [RESTRICTED], "terminationGracePeriodSeconds": 5}
    return workspace.deploy(networking=UserspaceNetworking(), pod_spec=spec, **arguments)


@pytest.mark.parametrize("networking", KERNEL_MODES.values(), ids=KERNEL_MODES)
def test_one_replica_reaches_the_others_app_over_the_tailnet_by_name_and_by_address(
    workspace: Workspace, networking: KernelNetworking
) -> None:
    app = workspace.deploy(networking=networking, replicas=2)
    other = app.device(1)
    for host in (other.fqdn.rstrip("."), other.addresses[0], f"[{other.addresses[1]}]"):
        assert app.pod(1) in app.exec("fetch", f"http://{host}/")


@pytest.mark.parametrize("state", [SecretState(), PersistentVolumeState()], ids=lambda state: type(state).__name__)
def test_a_namespace_that_enforces_restricted_takes_the_userspace_pod(workspace: Workspace, state: State) -> None:
    enforce(workspace, "restricted")
    app = restricted(workspace, state=state)
    before = app.device()
    app.delete_pods(0)
    assert (app.device().node_key, app.device().addresses) == (before.node_key, before.addresses)


@pytest.mark.matrix
def test_userspace_replicas_reach_each_other_through_the_proxy(workspace: Workspace) -> None:
    app = restricted(workspace, replicas=2)
    other = app.device(1)
    for host in (other.addresses[0], other.fqdn.rstrip(".")):
        request = f"http_proxy=http://localhost:1055 fetch http://{host}:8080/"
        assert app.pod(1) in app.exec("sh", "-c", request)


def test_a_namespace_that_enforces_baseline_refuses_the_kernel_mode_pod(workspace: Workspace) -> None:
    enforce(workspace, "baseline")
    app = workspace.deploy(wait=False)
    app.wait_for(
        "the refusal",
        lambda: "violates PodSecurity" in workspace.kubectl("get", "events", "--field-selector=reason=FailedCreate"),
    )


def test_a_pod_hardened_for_the_app_does_not_break_the_kernel_mode_sidecar(workspace: Workspace) -> None:
    spec = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 101, "runAsGroup": 101, "fsGroup": 101},
        "containers": [RESTRICTED],
        "terminationGracePeriodSeconds": 5,
    }
    app = workspace.deploy(pod_spec=spec)
    assert app.device().online
    assert app.exec("id", "-u").strip() == "101"


@pytest.mark.parametrize("networking", CAN_ROUTE.values(), ids=CAN_ROUTE)
def test_routes_and_exit_nodes_are_offered_with_the_sysctls_that_they_need(
    workspace: Workspace, networking: KernelNetworking
) -> None:
    routes = ["192.0.2.0/24", "2001:db8::/48"]
    app = workspace.deploy(networking=networking, advertise_routes=routes, advertise_exit_node=True)
    offered = {*routes, "0.0.0.0/0", "::/0"}
    app.wait_for("the routes", lambda: set(app.device().advertised_routes) == offered)
    assert app.exec("cat", "/proc/sys/net/ipv4/ip_forward").strip() == "1"


@pytest.mark.parametrize("networking", CAN_ROUTE.values(), ids=CAN_ROUTE)
def test_a_subnet_router_passes_on_what_others_send(workspace: Workspace, networking: KernelNetworking) -> None:
    route = f"{UPSTREAM_DNS}/32"  # in no network of the cluster, and answers on a port
    router = workspace.deploy("router", networking=networking, advertise_routes=[route])
    router.wait_for("the route", lambda: router.device().advertised_routes == (route,))
    workspace.tailnet.call("POST", f"/lab/devices/{router.device().id}/routes", {"routes": [route]})
    app = workspace.deploy(accept_routes=True, cluster_cidrs=["10.244.0.0/16", "10.96.0.0/16", "10.200.0.1/32"])
    app.wait_for("the way", lambda: "tailscale0" in app.exec("ip", "route", "get", UPSTREAM_DNS))
    assert "OK" in app.exec("fetch", f"http://{UPSTREAM_DNS}:8181/ready")


@pytest.mark.parametrize("networking", IN_USER_NAMESPACE.values(), ids=IN_USER_NAMESPACE)
def test_the_pods_root_is_nobody_on_the_node_and_stays_the_same_device(
    workspace: Workspace, networking: KernelNetworking
) -> None:
    app = workspace.deploy(networking=networking)
    before, owner = app.device(), users_on_node(app)
    assert len(owner) == 1  # root is the user of every process of the pod
    assert min(owner) >= FIRST_OF_PODS
    Sidecar(app).crash()
    app.delete_pods(0)
    assert min(users_on_node(app)) >= FIRST_OF_PODS
    assert identity(app.devices()) == identity([before])


def users_on_node(app: Deployment) -> set[int]:
    """The users that the pod's processes have on the node."""
    found = set()
    for pid in pids_of_pod(app.uid()):
        with contextlib.suppress(FileNotFoundError):  # it has ended
            if comm(pid) != "pause":
                found.add(Path(f"/proc/{pid}").stat().st_uid)
    return found


def test_an_exit_node_gets_what_is_not_for_the_cluster(workspace: Workspace) -> None:
    name = f"exit-{workspace.namespace}"
    with workspace.tailnet.router(name, ["0.0.0.0/0", "::/0"]):
        through = workspace.tailnet.device(name).addresses[0]
        cluster = ["10.244.0.0/16", "10.96.0.0/16", "10.200.0.0/24"]
        app = workspace.deploy(extra_args=[f"--exit-node={through}"], cluster_cidrs=cluster)
        ways = app.exec(
            *("sh", "-c", "for ip in 203.0.113.1 10.96.0.1 10.244.77.1 10.200.0.1; do ip route get $ip; done"),
            container="tailscale",
        )
        assert ["tailscale0" in way for way in ways.splitlines() if "dev" in way] == [True, False, False, False]
        assert "10.96.0.1" in app.exec("resolve-musl", "kubernetes.default")


def test_metrics_are_served_on_the_pods_address_and_not_on_the_tailnet(workspace: Workspace) -> None:
    app = workspace.deploy(replicas=2, metrics_port=9100)
    assert "tailscaled_" in app.exec("fetch", f"http://{app.status(1)['podIP']}:9100/metrics")
    with pytest.raises(LabError, match="refused"):
        app.exec("fetch", "-timeout=5s", f"http://{app.device(1).addresses[0]}:9100/metrics")


def test_devices_can_be_named_by_a_prefix_and_the_ordinal(workspace: Workspace) -> None:
    app = workspace.deploy(hostname=f"{workspace.namespace}-db", replicas=2)
    names = [device.hostname for device in workspace.tailnet.devices(workspace.namespace)]
    assert names == [f"{workspace.namespace}-db-0", f"{workspace.namespace}-db-1"]
    assert not app.devices()


@pytest.mark.filterwarnings("ignore:shields_up")
def test_shields_up_accepts_no_connection_and_lets_the_pods_own_through(workspace: Workspace) -> None:
    shielded = workspace.deploy(shields_up=True)
    other = workspace.deploy()
    with pytest.raises(LabError, match="Timeout"):
        other.exec("fetch", "-timeout=3s", f"http://{shielded.device().addresses[0]}/")
    assert other.pod() in shielded.exec("fetch", f"http://{other.device().addresses[0]}/")


def test_the_app_starts_when_the_tailnet_is_there(workspace: Workspace) -> None:
    with workspace.tailnet.fault(target="register", outage=True):
        app = workspace.deploy(wait=False)
        app.wait_for(
            "the sidecar to run",
            lambda: bool(app.status().get("initContainerStatuses", [{}])[-1].get("state", {}).get("running")),
        )
        assert app.status()["phase"] == "Pending"
    app.await_ready()
    assert app.restarts() == 0


def test_the_app_need_not_wait_for_the_tailnet(workspace: Workspace) -> None:
    with workspace.tailnet.fault(target="/machine/register", outage=True):
        app = workspace.deploy(wait_for_tailnet=False)
        assert app.exec("resolve-musl", "kubernetes.default")


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_the_firewall_may_be_legacy_iptables_or_nftables(workspace: Workspace, mode: str) -> None:
    app = workspace.deploy(env={"TS_DEBUG_FIREWALL_MODE": mode}, replicas=2)
    assert app.pod(1) in app.exec("fetch", f"http://{app.device(1).addresses[0]}/")


def test_a_device_plugins_tun_device_and_net_admin_do_for_a_sidecar_that_is_not_privileged(
    workspace: Workspace,
) -> None:
    app = workspace.deploy(
        networking=TUN,
        accept_routes=True,
        cluster_cidrs=["10.244.0.0/16", "10.96.0.0/16", "10.200.0.0/24"],
        replicas=2,
    )
    assert app.pod(1) in app.exec("fetch", f"http://{app.device(1).fqdn.rstrip('.')}/")
    assert "/proc/sys proc ro" in app.exec("cat", "/proc/mounts", container="tailscale")
