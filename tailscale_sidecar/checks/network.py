"""Checks of addresses, routes and names: the cluster's against the tailnet's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..inspection.cidrs import DNS, Range, is_within, overlap, parsed
from ..inspection.overlaps import MANY_NODES, Overlap
from ..inspection.snapshot import Inside, Replica, Snapshot, guards
from ..inspection.tailnet import TailnetDns
from ..inspection.workload import Workload
from ..pod.contract import TAILNET_RANGES
from ..report.findings import GUIDE, GUIDE_TABLE, UPSTREAM, Defect, Severity
from .registry import Seen, check_replica, check_workload

ROUTE_OVERLAP = Defect(
    name="route-overlap",
    severity=Severity.ERROR,
    why=(
        "With accept-routes, pods send what is for the cluster into the tailnet: "
        "DNS, other pods and the API server are cut off."
    ),
    do=(
        "Remove the route from {device}; or do not accept routes; "
        "or list {cidr} in cluster_cidrs, which this component keeps in the cluster."
    ),
    source=GUIDE_TABLE,
)


@check_workload(ROUTE_OVERLAP)
def route_overlap(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    return routes(snapshot, workload, ROUTE_OVERLAP)


ROUTE_OVERLAP_GUARDED = Defect(
    name="route-overlap-guarded",
    severity=Severity.NOTE,
    why="The pods keep these addresses in the cluster, so they cannot reach that part of the advertised network.",
    do="Nothing, unless the pods need to reach it: then one of the two networks needs other addresses.",
    source=GUIDE_TABLE,
)


@check_workload(ROUTE_OVERLAP_GUARDED)
def route_overlap_guarded(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    return routes(snapshot, workload, ROUTE_OVERLAP_GUARDED)


ROUTE_OVERLAP_LATENT = Defect(
    name="route-overlap-latent",
    severity=Severity.WARNING,
    why="It does no harm as things are; with accept-routes, or once the route is approved, it cuts pods off.",
    do="Remove the route from {device}, or list {cidr} in cluster_cidrs before pods accept routes.",
    source=GUIDE_TABLE,
)


@check_workload(ROUTE_OVERLAP_LATENT)
def route_overlap_latent(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    return routes(snapshot, workload, ROUTE_OVERLAP_LATENT)


def routes(snapshot: Snapshot, workload: Workload, defect: Defect) -> Iterator[Seen]:
    """Routes that overlap the cluster now, as far as they are that bad."""
    if workload.is_kernel and workload.accepts_routes:
        guarded = guards(next(iter(snapshot.of(workload)), Replica(workload=workload, name="")))
        if workload.is_component:
            guarded += snapshot.known_ranges(DNS)  # its rules keep the pod's nameservers, whatever they are
        for one in snapshot.overlaps:
            if how_bad(one, guarded) is defect:
                yield Seen(one.what, one.words)


def how_bad(found: Overlap, guarded: Sequence[str]) -> Defect:
    """What an overlap is where routes are accepted and some addresses are guarded."""
    common = [overlap(found.route, covered.cidr) for covered in found.covered]
    if all(part is not None and is_within(part, guarded) for part in common):
        return ROUTE_OVERLAP_GUARDED
    return ROUTE_OVERLAP if found.approved else ROUTE_OVERLAP_LATENT


EXIT_NODE_OFFERED = Defect(
    name="exit-node-offered",
    severity=Severity.NOTE,
    why="A pod that uses an exit node sends it all that has no other route, the cluster's addresses too.",
    do="Do not give the pods --exit-node without cluster_cidrs.",
    source=f"{UPSTREAM}/7695",
)
TAILNET_RANGE = Defect(
    name="cluster-in-tailnet-range",
    severity=Severity.ERROR,
    why=(
        "These are the addresses of tailnet devices. "
        "With kernel networking Linux drops packets from them that come by another way, and the pods are cut off."
    ),
    do="Use UserspaceNetworking(), or a cluster with other addresses.",
    source=f"{UPSTREAM}/1381",
)


@check_workload(TAILNET_RANGE)
def tailnet_range(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    if workload.is_kernel:
        pods = {address for replica in snapshot.of(workload) for address in replica.addresses}
        own = in_tailnet_range(snapshot.ranges)
        taken = in_tailnet_range(Range("pod", address, "its pods") for address in sorted(pods))
        yield from (Seen(f"{found}.") for found in (own or taken)[:MANY_NODES])


def in_tailnet_range(ranges: Iterable[Range]) -> list[Range]:
    """Those addresses of the cluster that belong to the tailnet."""
    return [found for found in ranges if any(overlap(found.cidr, str(network)) for network in TAILNET_RANGES)]


CLUSTER_CIDRS_INCOMPLETE = Defect(
    name="cluster-cidrs-incomplete",
    severity=Severity.WARNING,
    why="What cluster_cidrs does not cover goes into the tailnet as soon as any device there advertises it.",
    do="Add {cidr} to cluster_cidrs.",
    source="docs/how-it-works.md#preparesh-resolvconf-files-and-routing-rules",
)


@check_workload(CLUSTER_CIDRS_INCOMPLETE)
def cluster_cidrs_incomplete(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    if workload.is_component and workload.is_kernel and workload.accepts_routes:
        for found in snapshot.ranges:
            network = parsed(found.cidr)
            if found.use not in ("pod", "service", "cluster") or network is None or network.num_addresses == 1:
                continue  # a pod, a node or the cluster's DNS guards its own addresses
            if not is_within(network, workload.guarded_cidrs):
                yield Seen(f"{found} is not in cluster_cidrs.", {"cidr": found.cidr})


SPLIT_DNS_MISSING = Defect(
    name="split-dns-missing",
    severity=Severity.ERROR,
    why="The pod asks Tailscale for all names, and the tailnet's global nameservers know nothing of the cluster.",
    do=(
        "Add a nameserver for svc.{domain} with the address {address} on the DNS page of the admin console, "
        "or use InPodSplitDns(), which needs none."
    ),
    source=GUIDE_TABLE,
)


@check_workload(SPLIT_DNS_MISSING)
def split_dns_missing(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    dns = tailnet_dns(snapshot)
    if dns is not None and workload.asks_tailscale_for_all:
        yield from no_split_dns(dns, snapshot.cluster_domain, dns_addresses(snapshot))


def tailnet_dns(snapshot: Snapshot) -> TailnetDns | None:
    """The tailnet's DNS settings, if they are known."""
    return snapshot.tailnet.dns if snapshot.tailnet else None


def dns_addresses(snapshot: Snapshot) -> list[str]:
    """The addresses of the cluster's DNS."""
    return [found.address for found in snapshot.ranges if found.use == DNS]


def no_split_dns(dns: TailnetDns, domain: str, cluster_dns: Sequence[str]) -> Iterator[Seen]:
    """A tailnet that has nameservers for all names and none for the cluster's."""
    if dns.nameservers and dns.nameservers_of(f"svc.{domain}") is None:
        yield Seen(
            f"No split DNS route for svc.{domain}; global nameservers {', '.join(dns.nameservers)}.",
            {"domain": domain, "address": ", ".join(cluster_dns) or "of the cluster's DNS"},
        )


SPLIT_DNS_ELSEWHERE = Defect(
    name="split-dns-elsewhere",
    severity=Severity.ERROR,
    why="The tailnet sends the cluster's names to a nameserver that is not this cluster's: another cluster's, perhaps.",
    do="Give each cluster a domain of its own with a route of its own, or use InPodSplitDns(), which needs none.",
    source=f"{GUIDE}#optional-accept-dns-using-split-dns",
)


@check_workload(SPLIT_DNS_ELSEWHERE)
def split_dns_elsewhere(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    dns = tailnet_dns(snapshot)
    if dns is not None and workload.asks_tailscale_for_all:
        yield from other_split_dns(dns, snapshot.cluster_domain, dns_addresses(snapshot))


def other_split_dns(dns: TailnetDns, domain: str, cluster_dns: Sequence[str]) -> Iterator[Seen]:
    """A tailnet that has a nameserver for the cluster's names, but not this cluster's."""
    servers = dns.nameservers_of(f"svc.{domain}")
    if servers and cluster_dns and not set(servers) & set(cluster_dns):
        yield Seen(f"svc.{domain} goes to {', '.join(servers)}; this cluster's DNS is {', '.join(cluster_dns)}.")


MAGIC_DNS_OFF = Defect(
    name="magic-dns-off",
    severity=Severity.ERROR,
    why="Without MagicDNS the tailnet's names do not exist.",
    do="Enable MagicDNS on the DNS page of the admin console, or use ClusterDns().",
    source="https://tailscale.com/docs/features/magicdns",
)


@check_workload(MAGIC_DNS_OFF)
def magic_dns_off(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    dns = tailnet_dns(snapshot)
    if dns is not None and not dns.magic_dns and workload.is_kernel and workload.accepts_dns:
        yield Seen("MagicDNS is off.")


CLUSTER_NAMES_FAIL = Defect(
    name="cluster-dns-fails",
    severity=Severity.ERROR,
    why="The app in this pod cannot find the cluster's services.",
    do="Look first at other findings of this pod and its routes; then at the nameserver {nameserver} itself.",
    source=f"{GUIDE}#step-4-handle-dns-in-the-pod",
)


@check_replica(CLUSTER_NAMES_FAIL)
def cluster_names_fail(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    return failed_look_ups(snapshot, replica, of_cluster=True)


TAILNET_NAMES_FAIL = Defect(
    name="tailnet-dns-fails",
    severity=Severity.ERROR,
    why="The app in this pod cannot find devices of the tailnet by name.",
    do="Look at MagicDNS on the DNS page of the admin console, and at the sidecar's log.",
    source=f"{GUIDE}#step-4-handle-dns-in-the-pod",
)


@check_replica(TAILNET_NAMES_FAIL)
def tailnet_names_fail(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    return failed_look_ups(snapshot, replica, of_cluster=False)


def failed_look_ups(snapshot: Snapshot, replica: Replica, *, of_cluster: bool) -> Iterator[Seen]:
    """Names of the cluster or the tailnet that could not be looked up from inside a pod."""
    if not replica.is_ready or replica.is_stuck:
        return  # that it is stuck is the cause, and has a finding of its own
    inside = replica.inside or Inside()
    failed = [one for one in inside.look_ups if not one.works]
    failed = [one for one in failed if one.name.endswith(snapshot.cluster_domain) == of_cluster]
    if failed:
        names = ", ".join(dict.fromkeys(one.name for one in failed))
        servers = ", ".join(dict.fromkeys(one.nameserver for one in failed))
        yield Seen(f"{names} cannot be looked up at {servers}.", {"nameserver": servers})
