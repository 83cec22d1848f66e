"""Checks of a plan: what the cluster and the tailnet will object to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..inspection.cidrs import DNS
from ..inspection.deployment_plan import Plan
from ..inspection.deployment_target import Ground
from ..report.findings import UPSTREAM, Defect, Finding, Severity
from .network import (
    EXIT_NODE_OFFERED,
    MANY_NODES,
    ROUTE_OVERLAP_LATENT,
    TAILNET_RANGE,
    dns_findings,
    in_tailnet_range,
    overlaps,
    route_finding,
)
from .replicas import POD_SECURITY
from .template import GVISOR, SANDBOX

OLDEST = (1, 29)
"""Native sidecars are on by default since then (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers)."""
OLDEST_GUARDED = (1, 30)
"""ValidatingAdmissionPolicy is v1 since then."""
FORBIDDING = ("baseline", "restricted")

TOO_OLD = Defect(
    name="kubernetes-too-old",
    severity=Severity.ERROR,
    why="The sidecar is a native sidecar, which starts before the app and ends after it: Kubernetes 1.29.",
    do="Upgrade the cluster.",
    source="https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/",
)
TOO_OLD_FOR_GUARDED = Defect(
    name="kubernetes-too-old-for-guarded",
    severity=Severity.ERROR,
    why='SecretState(access="guarded") needs ValidatingAdmissionPolicy: Kubernetes 1.30.',
    do='Use SecretState(access="scoped"), or upgrade the cluster.',
    source="https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/",
)
NO_NAMESPACE = Defect(
    name="namespace-missing",
    severity=Severity.WARNING,
    why="What is deployed into a namespace that is not there is refused.",
    do="kubectl create namespace {namespace}, or let the program make it first.",
    source="https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/",
)
NOT_ALLOWED = Defect(
    name="deployer-not-allowed",
    severity=Severity.ERROR,
    why="`pulumi up` would stop half-way. A Role can also give only what the one who makes it has.",
    do="Get a Role in namespace {namespace} that allows this, or deploy as somebody who has one.",
    source="https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping",
)
CILIUM = Defect(
    name="cni-conflict",
    severity=Severity.WARNING,
    why="Under Cilium, pods with tailscaled in kernel mode were seen to be unreachable from other nodes of the cluster.",
    do="Try a pod of one node from another before you rely on it; UserspaceNetworking() is not affected.",
    source=f"{UPSTREAM}/19876",
)
NO_PRIVILEGED_PODS = Defect(
    name="privileged-pods-refused",
    severity=Severity.ERROR,
    why="This kind of node runs no privileged containers, which kernel networking needs.",
    do="Use UserspaceNetworking(), or other nodes.",
    source="https://tailscale.com/docs/kubernetes-operator/reference/limitations",
)
NO_TUN_PLUGIN = Defect(
    name="tun-plugin-missing",
    severity=Severity.ERROR,
    why="Pods that ask for a device which no node has are never scheduled.",
    do="Install the device plugin, or leave tun_device out (the sidecar is then privileged).",
    source="https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/",
)
NO_TAG_OWNER = Defect(
    name="tag-not-owned",
    severity=Severity.ERROR,
    why="Nobody may give a device a tag that the tailnet's policy does not define.",
    do='Add "{tag}" to tagOwners in the policy, with the OAuth client\'s own tag as an owner if it has another one.',
    source="https://tailscale.com/docs/features/tags",
)
LOCK = Defect(
    name="tailnet-lock",
    severity=Severity.ERROR,
    why="Tailnet lock is on: devices of OAuth clients and workload identities are locked out until somebody signs each.",
    do="Use AuthKey with an auth key that was signed by `tailscale lock sign`.",
    source=f"{UPSTREAM}/10008",
)
NAME_TAKEN = Defect(
    name="device-name-taken",
    severity=Severity.WARNING,
    why="The tailnet will append -1 to the new device's name; what connects by name reaches the old one.",
    do="Delete the old device in the admin console, or choose another hostname.",
    source=f"{UPSTREAM}/10604",
)


def versions(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """Releases of Kubernetes."""
    found = {"The API server": ground.version} if ground.version else {}
    for node in ground.nodes:
        release = re.match(r"v?(\d+)\.(\d+)", node["status"].get("nodeInfo", {}).get("kubeletVersion", ""))
        if release:
            found[f"Node {node['metadata']['name']}"] = (int(release[1]), int(release[2]))
    for what, version in found.items():
        if version < OLDEST:
            yield TOO_OLD.found(plan.ref, f"{what} is {version[0]}.{version[1]}.")
    if plan.is_guarded and ground.version and OLDEST <= ground.version < OLDEST_GUARDED:
        yield TOO_OLD_FOR_GUARDED.found(plan.ref, f"The API server is {ground.version[0]}.{ground.version[1]}.")


def namespace(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """The namespace, and its Pod Security level."""
    level = ground.namespaces.get(plan.namespace, "")
    if level is None and not plan.makes_namespace:
        yield NO_NAMESPACE.found(plan.ref, f"There is no namespace {plan.namespace}.", namespace=plan.namespace)
    if plan.is_kernel and level in FORBIDDING:
        yield POD_SECURITY.found(plan.ref, f"Namespace {plan.namespace} enforces {level}.")


def permissions(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """RBAC of who deploys."""
    denied = ground.denied.get(plan.namespace)
    if denied:
        yield NOT_ALLOWED.found(plan.ref, f"You may not {', '.join(denied)}.", namespace=plan.namespace)


def nodes(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """What the nodes and the CNI cannot do."""
    if not plan.is_kernel:
        return
    if ground.cni == "Cilium":
        yield CILIUM.found(plan.ref, "The cluster's CNI is Cilium.")
    if plan.runtime_class in GVISOR:
        yield SANDBOX.found(plan.ref, f"runtimeClassName is {plan.runtime_class}.")
    kinds = [refusing(node["metadata"]) for node in ground.nodes]
    if kinds and all(kinds):
        yield NO_PRIVILEGED_PODS.found(plan.ref, f"All nodes are {' or '.join(sorted(set(kinds)))}.")
    offers = any(plan.tun_device in (node["status"].get("allocatable") or {}) for node in ground.nodes)
    if plan.tun_device and ground.nodes and not offers:
        yield NO_TUN_PLUGIN.found(plan.ref, f"No node offers {plan.tun_device}.")


def refusing(metadata: dict[str, dict[str, str]]) -> str:
    """What kind of node it is, if it is one that runs no privileged pods."""
    if str(metadata["name"]).startswith("gk3-"):
        return "GKE Autopilot"
    fargate = (metadata.get("labels") or {}).get("eks.amazonaws.com/compute-type") == "fargate"
    return "EKS Fargate" if fargate else ""


def addresses(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """Addresses of the cluster among those of the tailnet."""
    if plan.is_kernel:
        found = in_tailnet_range(ground.ranges)
        yield from (TAILNET_RANGE.found(plan.ref, f"{one}.") for one in found[:MANY_NODES])


def routes(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """Routes of the tailnet that cover the cluster, each with its device; and exit nodes."""
    if ground.tailnet is None or not plan.is_kernel:
        return
    own_dns = [found.cidr for found in ground.ranges if found.use == DNS]
    for one in overlaps(ground.tailnet, ground.ranges):
        if plan.accepts_routes:
            yield route_finding(plan.ref, one, [*plan.guarded_cidrs, *own_dns])
        else:
            yield ROUTE_OVERLAP_LATENT.found(plan.ref, one.what, **one.words)
    for device in ground.tailnet.devices:
        if device.exit_node:
            yield EXIT_NODE_OFFERED.found(plan.ref, f"Device {device.name} may be used as an exit node.")


def tailnet_dns(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """The tailnet's DNS settings against the DNS mode."""
    if ground.tailnet is not None and ground.tailnet.dns is not None and plan.accepts_dns:
        yield from dns_findings(
            plan.ref,
            ground.tailnet.dns,
            domain=ground.domain,
            addresses_of_dns=[found.cidr for found in ground.ranges if found.use == DNS],
            asks_all=plan.asks_tailscale_for_all,
        )


def policy(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """Tags that nobody owns; a lock that keeps new devices out."""
    if ground.tailnet is None:
        return
    for tag in plan.tags if ground.tailnet.tag_owners is not None else ():
        if tag not in (ground.tailnet.tag_owners or {}):
            yield NO_TAG_OWNER.found(plan.ref, f"{tag} is not in the policy's tagOwners.", tag=tag)
    if ground.tailnet.lock and plan.auth in ("OAuthClient", "WorkloadIdentity"):
        yield LOCK.found(plan.ref, f"Tailnet lock is on, and auth is {plan.auth}.")


def device_names(ground: Ground, plan: Plan) -> Iterator[Finding]:
    """Names that other devices have, before the first deployment."""
    if ground.tailnet is None or (plan.namespace, plan.name) in ground.deployed:
        return
    for device in ground.tailnet.devices:
        if device.label in plan.device_names:
            yield NAME_TAKEN.found(plan.ref, f"{device.name} is there already.")


Check = Callable[[Ground, Plan], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    versions,
    namespace,
    permissions,
    nodes,
    addresses,
    routes,
    tailnet_dns,
    policy,
    device_names,
)
