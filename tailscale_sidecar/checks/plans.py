"""Checks of a plan: what the cluster and the tailnet will object to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..inspection.cidrs import DNS
from ..inspection.deployment_plan import Plan
from ..inspection.deployment_target import Ground
from ..inspection.overlaps import MANY_NODES
from ..report.findings import UPSTREAM, Defect, Severity
from . import network
from .registry import Seen, check_plan
from .template.networking import GVISOR, SANDBOX

API_SERVER = "The API server"
OLDEST = (1, 29)
"""Native sidecars are on by default since then (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers)."""
OLDEST_GUARDED = (1, 30)
"""ValidatingAdmissionPolicy is v1 since then."""
OLDEST_INJECTION = (1, 36)
"""MutatingAdmissionPolicy is v1 since then."""


TOO_OLD = Defect(
    name="kubernetes-too-old",
    severity=Severity.ERROR,
    why="The sidecar starts before the app and ends after it. Kubernetes can do that from 1.29 on.",
    do="Upgrade the cluster.",
    source="https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/",
)


@check_plan(TOO_OLD)
def too_old(ground: Ground, plan: Plan) -> Iterator[Seen]:
    for what, version in kubernetes_releases(ground).items():
        if version < OLDEST:
            yield Seen(f"{what} is {version[0]}.{version[1]}.")


def kubernetes_releases(ground: Ground) -> dict[str, tuple[int, int]]:
    """The release of the API server and of each node's kubelet."""
    found = {API_SERVER: ground.version} if ground.version else {}
    for node in ground.nodes:
        release = re.match(r"v?(\d+)\.(\d+)", node["status"].get("nodeInfo", {}).get("kubeletVersion", ""))
        if release:
            found[f"Node {node['metadata']['name']}"] = (int(release[1]), int(release[2]))
    return found


TOO_OLD_FOR_GUARDED = Defect(
    name="kubernetes-too-old-for-guarded",
    severity=Severity.ERROR,
    why='SecretState(access="guarded") needs ValidatingAdmissionPolicy, which Kubernetes has from 1.30 on.',
    do='Use SecretState(access="scoped"), or upgrade the cluster.',
    source="https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/",
)


@check_plan(TOO_OLD_FOR_GUARDED)
def too_old_for_guarded(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if plan.is_guarded:
        yield from api_server_before(OLDEST_GUARDED, ground)


TOO_OLD_FOR_INJECTION = Defect(
    name="kubernetes-too-old-for-injection",
    severity=Severity.ERROR,
    why="TailscaleSidecarInjection needs MutatingAdmissionPolicy, which Kubernetes has from 1.36 on.",
    do="Use TailscaleSidecar for workloads of the same program, or upgrade the cluster.",
    source="https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/",
)


@check_plan(TOO_OLD_FOR_INJECTION)
def too_old_for_injection(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if plan.is_injection:
        yield from api_server_before(OLDEST_INJECTION, ground)


def api_server_before(release: tuple[int, int], ground: Ground) -> Iterator[Seen]:
    """An API server that is too old for something, and not for all of it."""
    if ground.version and OLDEST <= ground.version < release:
        yield Seen(f"The API server is {ground.version[0]}.{ground.version[1]}.")


NO_NAMESPACE = Defect(
    name="namespace-missing",
    severity=Severity.WARNING,
    why="The API server refuses objects of a namespace that does not exist.",
    do="kubectl create namespace {namespace}, or let the program make it first.",
    source="https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/",
)


@check_plan(NO_NAMESPACE)
def no_namespace(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if ground.namespaces.get(plan.namespace, "") is None and not plan.makes_namespace:
        yield Seen(f"There is no namespace {plan.namespace}.", {"namespace": plan.namespace})


NOT_ALLOWED = Defect(
    name="deployer-not-allowed",
    severity=Severity.ERROR,
    why="`pulumi up` would stop half-way. A Role can also give only what the one who makes it has.",
    do="Get a Role in namespace {namespace} that allows this, or deploy as somebody who has one.",
    source="https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping",
)


@check_plan(NOT_ALLOWED)
def not_allowed(ground: Ground, plan: Plan) -> Iterator[Seen]:
    denied = ground.denied.get(plan.namespace)
    if denied:
        yield Seen(f"You may not {', '.join(denied)}.", {"namespace": plan.namespace})


CILIUM = Defect(
    name="cni-conflict",
    severity=Severity.WARNING,
    why="Under Cilium, pods with tailscaled in kernel mode were seen to be unreachable from other nodes of the cluster.",
    do="Try a pod of one node from another before you rely on it; UserspaceNetworking() is not affected.",
    source=f"{UPSTREAM}/19876",
)


@check_plan(CILIUM)
def cilium(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if plan.is_kernel and ground.cni == "Cilium":
        yield Seen("The cluster's CNI is Cilium.")


@check_plan(SANDBOX)
def sandbox(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if plan.is_kernel and plan.runtime_class in GVISOR:
        yield Seen(f"runtimeClassName is {plan.runtime_class}.")


NO_PRIVILEGED_PODS = Defect(
    name="privileged-pods-refused",
    severity=Severity.ERROR,
    why="This kind of node runs no privileged containers, which kernel networking needs.",
    do="Use UserspaceNetworking(), or other nodes.",
    source="https://tailscale.com/docs/kubernetes-operator/reference/limitations",
)


@check_plan(NO_PRIVILEGED_PODS)
def no_privileged_pods(ground: Ground, plan: Plan) -> Iterator[Seen]:
    kinds = [refusing(node["metadata"]) for node in ground.nodes]
    if plan.is_kernel and kinds and all(kinds):
        yield Seen(f"All nodes are {' or '.join(sorted(set(kinds)))}.")


def refusing(metadata: dict[str, dict[str, str]]) -> str:
    """What kind of node it is, if it is one that runs no privileged pods."""
    if str(metadata["name"]).startswith("gk3-"):
        return "GKE Autopilot"
    fargate = (metadata.get("labels") or {}).get("eks.amazonaws.com/compute-type") == "fargate"
    return "EKS Fargate" if fargate else ""


NO_TUN_PLUGIN = Defect(
    name="tun-plugin-missing",
    severity=Severity.ERROR,
    why="Pods that ask for a device which no node has are never scheduled.",
    do="Install the device plugin, or leave tun_device out (the sidecar is then privileged).",
    source="https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/",
)


@check_plan(NO_TUN_PLUGIN)
def no_tun_plugin(ground: Ground, plan: Plan) -> Iterator[Seen]:
    offers = any(plan.tun_device in (node["status"].get("allocatable") or {}) for node in ground.nodes)
    if plan.is_kernel and plan.tun_device and ground.nodes and not offers:
        yield Seen(f"No node offers {plan.tun_device}.")


@check_plan(network.TAILNET_RANGE)
def tailnet_range(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if plan.is_kernel:
        found = network.in_tailnet_range(ground.ranges)
        yield from (Seen(f"{one}.") for one in found[:MANY_NODES])


@check_plan(network.ROUTE_OVERLAP)
def route_overlap(ground: Ground, plan: Plan) -> Iterator[Seen]:
    return routes(ground, plan, network.ROUTE_OVERLAP)


@check_plan(network.ROUTE_OVERLAP_GUARDED)
def route_overlap_guarded(ground: Ground, plan: Plan) -> Iterator[Seen]:
    return routes(ground, plan, network.ROUTE_OVERLAP_GUARDED)


@check_plan(network.ROUTE_OVERLAP_LATENT)
def route_overlap_latent(ground: Ground, plan: Plan) -> Iterator[Seen]:
    return routes(ground, plan, network.ROUTE_OVERLAP_LATENT)


def routes(ground: Ground, plan: Plan, how_bad: Defect) -> Iterator[Seen]:
    """Routes of the tailnet that cover the cluster, as far as they are this bad."""
    if not plan.is_kernel:
        return
    guarded = [*plan.guarded_cidrs, *(found.cidr for found in ground.ranges if found.use == DNS)]
    for one in ground.overlaps:
        defect = network.how_bad(one, guarded) if plan.accepts_routes else network.ROUTE_OVERLAP_LATENT
        if defect is how_bad:
            yield Seen(one.what, one.words)


@check_plan(network.EXIT_NODE_OFFERED)
def exit_node_offered(ground: Ground, plan: Plan) -> Iterator[Seen]:
    for device in ground.tailnet.devices if ground.tailnet and plan.is_kernel else ():
        if device.exit_node:
            yield Seen(f"Device {device.name} may be used as an exit node.")


@check_plan(network.SPLIT_DNS_MISSING)
def split_dns_missing(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if ground.tailnet and ground.tailnet.dns and plan.accepts_dns and plan.asks_tailscale_for_all:
        yield from network.no_split_dns(ground.tailnet.dns, ground.domain, dns_addresses(ground))


@check_plan(network.SPLIT_DNS_ELSEWHERE)
def split_dns_elsewhere(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if ground.tailnet and ground.tailnet.dns and plan.accepts_dns and plan.asks_tailscale_for_all:
        yield from network.other_split_dns(ground.tailnet.dns, ground.domain, dns_addresses(ground))


def dns_addresses(ground: Ground) -> list[str]:
    """The addresses of the cluster's DNS."""
    return [found.address for found in ground.ranges if found.use == DNS]


@check_plan(network.MAGIC_DNS_OFF)
def magic_dns_off(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if ground.tailnet and ground.tailnet.dns and plan.accepts_dns and not ground.tailnet.dns.magic_dns:
        yield Seen("MagicDNS is off.")


NO_TAG_OWNER = Defect(
    name="tag-not-owned",
    severity=Severity.ERROR,
    why="Nobody may give a device a tag that the tailnet's policy does not name.",
    do='Add "{tag}" to tagOwners in the policy, with the OAuth client\'s own tag as an owner if it has another one.',
    source="https://tailscale.com/docs/features/tags",
)


@check_plan(NO_TAG_OWNER)
def no_tag_owner(ground: Ground, plan: Plan) -> Iterator[Seen]:
    owners = ground.tailnet.tag_owners if ground.tailnet else None
    for tag in plan.tags if owners is not None else ():
        if tag not in (owners or {}):
            yield Seen(f"{tag} is not in the policy's tagOwners.", {"tag": tag})


LOCK = Defect(
    name="tailnet-lock",
    severity=Severity.ERROR,
    why="Tailnet lock is on: devices of OAuth clients and workload identities are locked out until somebody signs each.",
    do="Use AuthKey with an auth key that was signed by `tailscale lock sign`.",
    source=f"{UPSTREAM}/10008",
)


@check_plan(LOCK)
def lock(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if ground.tailnet and ground.tailnet.lock and plan.auth in ("OAuthClient", "WorkloadIdentity"):
        yield Seen(f"Tailnet lock is on, and auth is {plan.auth}.")


NAME_TAKEN = Defect(
    name="device-name-taken",
    severity=Severity.WARNING,
    why="The tailnet will append -1 to the new device's name; what connects by name reaches the old one.",
    do="Delete the old device in the admin console, or choose another hostname.",
    source=f"{UPSTREAM}/10604",
)


@check_plan(NAME_TAKEN)
def name_taken(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if ground.tailnet is None or plan.ref in ground.deployed:
        return
    for device in ground.tailnet.devices:
        if device.label in plan.device_names:
            yield Seen(f"{device.name} is there already.")
