"""Checks of what kernel networking needs and does."""

from __future__ import annotations

from collections.abc import Iterator

from ...inspection.workload import Workload, is_true
from ...report.findings import CODE, GUIDE_TABLE, UPSTREAM, Defect, Severity
from ..registry import Seen, check_template

NET_ADMIN_ALONE = "The sidecar has NET_ADMIN, is not privileged, and asks for no device of a device plugin."
GVISOR = ("gvisor", "runsc")
"""What gVisor's documentation, GKE and minikube call its RuntimeClass."""

SHARED_RESOLV_CONF = Defect(
    name="crash-would-break-dns",
    severity=Severity.WARNING,
    why=(
        "With TS_ACCEPT_DNS tailscaled rewrites the resolv.conf that all containers of the pod share. After one crash "
        "it goes on naming 100.100.100.100: nothing in the pod can be looked up, and the sidecar never comes back."
    ),
    do="Give the sidecar a resolv.conf of its own, as this component does, or set TS_ACCEPT_DNS=false.",
    source="docs/how-it-works.md#startsh-a-clean-start-every-time",
)


@check_template(SHARED_RESOLV_CONF)
def shared_resolv_conf(workload: Workload) -> Iterator[Seen]:
    if workload.is_kernel and workload.accepts_dns and workload.shares_resolv_conf:
        yield Seen("TS_ACCEPT_DNS is on, and the pod's containers read the file that it rewrites.")


HOST_NETWORK = Defect(
    name="host-network",
    severity=Severity.ERROR,
    why="The pod has the node's network: it changes the node's routes and DNS, and two such pods on a node collide.",
    do="Remove hostNetwork.",
    source=f"{UPSTREAM}/11908",
)


@check_template(HOST_NETWORK)
def host_network(workload: Workload) -> Iterator[Seen]:
    if workload.is_kernel and workload.pod_spec.get("hostNetwork"):
        yield Seen("hostNetwork is on.")


NO_NET_ADMIN = Defect(
    name="no-net-admin",
    severity=Severity.ERROR,
    why="Kernel networking makes a network device and routes, which a container may do with NET_ADMIN only.",
    do="Make the sidecar privileged, or add the capability NET_ADMIN to it, or use TS_USERSPACE=true.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/security-context/",
)


@check_template(NO_NET_ADMIN)
def no_net_admin(workload: Workload) -> Iterator[Seen]:
    if workload.is_kernel and not workload.is_privileged and not has_net_admin(workload):
        yield Seen("The sidecar is not privileged, and has no capability NET_ADMIN.")


def has_net_admin(workload: Workload) -> bool:
    """Whether the sidecar has the capability."""
    context = workload.sidecar.get("securityContext") or {}
    added = {str(one).upper().removeprefix("CAP_") for one in (context.get("capabilities") or {}).get("add") or ()}
    return bool({"NET_ADMIN", "ALL"} & added)


NO_TUN = Defect(
    name="no-tun-device",
    severity=Severity.NOTE,
    why="Nodes with runc 1.2.0 to 1.2.3 (October 2024 to January 2025) refuse /dev/net/tun to NET_ADMIN alone. Others allow it.",
    do="Where nodes have such a runc: update it, or make the sidecar privileged, or give it the device by a device plugin.",
    source="https://github.com/opencontainers/runc/blob/v1.2.4/CHANGELOG.md",
)


@check_template(NO_TUN)
def no_tun(workload: Workload) -> Iterator[Seen]:
    if has_net_admin_alone(workload) and not workload.has_user_namespace:
        yield Seen(NET_ADMIN_ALONE)


def has_net_admin_alone(workload: Workload) -> bool:
    """Whether the sidecar has to make its tun device itself, or to find it in a mount."""
    alone = not (workload.is_privileged or workload.device_resources)
    return alone and workload.is_kernel and has_net_admin(workload)


NO_TUN_IN_USER_NAMESPACE = Defect(
    name="no-tun-in-user-namespace",
    severity=Severity.ERROR,
    why="In a user namespace nobody can make /dev/net/tun, and the node's cannot be mounted (seen with runc 1.5).",
    do="Give the sidecar the device by a device plugin, or make it privileged: in its user namespace only.",
    source="docs/security.md#user-namespaces",
)


@check_template(NO_TUN_IN_USER_NAMESPACE)
def no_tun_in_user_namespace(workload: Workload) -> Iterator[Seen]:
    if has_net_admin_alone(workload) and workload.has_user_namespace:
        yield Seen(NET_ADMIN_ALONE)


USER_NAMESPACE_CONFLICT = Defect(
    name="user-namespace-conflict",
    severity=Severity.ERROR,
    why="Kubernetes refuses pods with hostUsers false that also ask for a namespace of the node or a raw block volume.",
    do="Remove {field}, or hostUsers (user_namespace=True).",
    source="https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/",
)


@check_template(USER_NAMESPACE_CONFLICT)
def user_namespace_conflict(workload: Workload) -> Iterator[Seen]:
    if not workload.has_user_namespace:
        return
    spec = workload.pod_spec
    fields = [field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    fields += [f"volumeDevices of container {c.get('name')}" for c in workload.all_containers if c.get("volumeDevices")]
    for field in fields:
        yield Seen(f"{field} is set, and hostUsers is false.", {"field": field})


SANDBOX = Defect(
    name="runtime-conflict",
    severity=Severity.WARNING,
    why="gVisor was seen to refuse a tun device to any container, and kernel networking needs one.",
    do="Remove runtimeClassName, or use UserspaceNetworking().",
    source="https://github.com/google/gvisor/issues/11665",
)


@check_template(SANDBOX)
def sandbox(workload: Workload) -> Iterator[Seen]:
    if workload.is_kernel and workload.runtime_class in GVISOR:
        yield Seen(f"runtimeClassName is {workload.runtime_class}.")


EXIT_NODE = Defect(
    name="exit-node-in-use",
    severity=Severity.WARNING,
    why="All that has no other route goes to the exit node, the cluster's own addresses too.",
    do="Remove --exit-node, or keep the cluster's CIDRs out of it with cluster_cidrs.",
    source=f"{UPSTREAM}/7695",
)


@check_template(EXIT_NODE)
def exit_node(workload: Workload) -> Iterator[Seen]:
    used = workload.flags.get("exit-node")
    if used and workload.is_kernel and not workload.guarded_cidrs:
        yield Seen(f"--exit-node={used}")


UNGUARDED_ROUTES = Defect(
    name="routes-unguarded",
    severity=Severity.WARNING,
    why=(
        "As soon as any device of the tailnet advertises a route that covers the cluster's addresses, pods send what is "
        "for the cluster there: DNS, other pods and the API server are cut off."
    ),
    do="Remove --accept-routes, or keep the cluster's CIDRs out of it with cluster_cidrs.",
    source=GUIDE_TABLE,
)


@check_template(UNGUARDED_ROUTES)
def unguarded_routes(workload: Workload) -> Iterator[Seen]:
    if workload.is_kernel and workload.accepts_routes and not workload.guarded_cidrs:
        yield Seen("--accept-routes is on, and nothing keeps the cluster's addresses out.")


METRICS_ON_TAILNET = Defect(
    name="metrics-on-tailnet",
    severity=Severity.NOTE,
    why="In kernel mode this address is on the tailnet too: who may reach the device's port can read its metrics.",
    do="Set TS_LOCAL_ADDR_PORT to $(POD_IP):{port}, with POD_IP from status.podIP.",
    source=f"{CODE}/cmd/k8s-operator/sts.go#L996",
)


@check_template(METRICS_ON_TAILNET)
def metrics_on_tailnet(workload: Workload) -> Iterator[Seen]:
    listens = workload.env.get("TS_LOCAL_ADDR_PORT", "[::]:9002").rpartition(":")[0]
    everywhere = listens in ("0.0.0.0", "[::]", "")  # noqa: S104 - looked for, not bound
    if everywhere and workload.is_kernel and is_true(workload.env.get("TS_ENABLE_METRICS", "")):
        yield Seen(f"/metrics listens on {listens or 'every address'}.", {"port": workload.health_ports[0]})
