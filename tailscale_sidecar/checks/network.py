"""Checks of addresses, routes and names: the cluster's against the tailnet's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..inspection.cidrs import DNS, Range, is_within, overlap, parsed
from ..inspection.snapshot import Inside, Replica, Snapshot, guards
from ..inspection.tailnet import Device, Tailnet, TailnetDns
from ..pod.contract import TAILNET_RANGES
from ..report.findings import GUIDE, GUIDE_TABLE, UPSTREAM, Defect, Finding, Severity

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
ROUTE_OVERLAP_GUARDED = Defect(
    name="route-overlap-guarded",
    severity=Severity.NOTE,
    why="The pods keep these addresses in the cluster, so they cannot reach that part of the advertised network.",
    do="Nothing, unless the pods need to reach it: then one of the two networks needs other addresses.",
    source=GUIDE_TABLE,
)
ROUTE_OVERLAP_LATENT = Defect(
    name="route-overlap-latent",
    severity=Severity.WARNING,
    why="It does no harm as things are; with accept-routes, or once the route is approved, it cuts pods off.",
    do="Remove the route from {device}, or list {cidr} in cluster_cidrs before pods accept routes.",
    source=GUIDE_TABLE,
)
EXIT_NODE_OFFERED = Defect(
    name="exit-node-offered",
    severity=Severity.NOTE,
    why="A pod that is told to use an exit node sends it all that is not routed otherwise, the cluster's addresses too.",
    do="Nothing; only do not give the pods --exit-node without cluster_cidrs.",
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
CLUSTER_CIDRS_INCOMPLETE = Defect(
    name="cluster-cidrs-incomplete",
    severity=Severity.WARNING,
    why="What cluster_cidrs does not cover goes into the tailnet as soon as any device there advertises it.",
    do="Add {cidr} to cluster_cidrs.",
    source="docs/how-it-works.md#preparesh-routing-rules",
)
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
SPLIT_DNS_ELSEWHERE = Defect(
    name="split-dns-elsewhere",
    severity=Severity.ERROR,
    why="The tailnet sends the cluster's names to a nameserver that is not this cluster's: another cluster's, perhaps.",
    do="Give each cluster a domain of its own with a route of its own, or use InPodSplitDns(), which needs none.",
    source=f"{GUIDE}#optional-accept-dns-using-split-dns",
)
MAGIC_DNS_OFF = Defect(
    name="magic-dns-off",
    severity=Severity.ERROR,
    why="Without MagicDNS the tailnet's names do not exist.",
    do="Enable MagicDNS on the DNS page of the admin console, or use ClusterDns().",
    source="https://tailscale.com/docs/features/magicdns",
)
CLUSTER_NAMES_FAIL = Defect(
    name="cluster-dns-fails",
    severity=Severity.ERROR,
    why="The app in this pod cannot find the cluster's services.",
    do="Look first at other findings of this pod and its routes; then at the nameserver {nameserver} itself.",
    source=f"{GUIDE}#step-4-handle-dns-in-the-pod",
)
TAILNET_NAMES_FAIL = Defect(
    name="tailnet-dns-fails",
    severity=Severity.ERROR,
    why="The app in this pod cannot find devices of the tailnet by name.",
    do="Look at MagicDNS on the DNS page of the admin console, and at the sidecar's log.",
    source=f"{GUIDE}#step-4-handle-dns-in-the-pod",
)
MANY_NODES = 3
"""Node addresses that a finding names; a cluster may have a thousand."""


@dataclass(frozen=True)
class Overlap:
    """A route of a device, and addresses of the cluster that it covers."""

    device: Device
    route: str
    approved: bool
    covered: tuple[Range, ...]

    @property
    def what(self) -> str:
        """For people."""
        state = "advertises" if self.approved else "advertises (not approved yet)"
        named = [str(found) for found in self.covered[:MANY_NODES]]
        more = f" and {len(self.covered) - MANY_NODES} more" if len(self.covered) > MANY_NODES else ""
        return f"Device {self.device.name} {state} {self.route}, which overlaps {', '.join(named)}{more}."

    @property
    def words(self) -> dict[str, str]:
        """For the advice."""
        return {"device": self.device.name, "cidr": ", ".join(dict.fromkeys(r.cidr for r in self.covered[:MANY_NODES]))}


def overlaps(tailnet: Tailnet, ranges: Sequence[Range]) -> list[Overlap]:
    """Routes of the tailnet that cover addresses of the cluster. An exit node's default route is not among them."""
    found = []
    for device in tailnet.devices:
        offers = [(route, True) for route in device.routes] + [(route, False) for route in device.offered_routes]
        for route, approved in offers:
            covered = [r for r in ranges if overlap(route, r.cidr) is not None]
            if covered:
                found.append(Overlap(device, route, approved, tuple(widest(covered))))
    return found


def widest(found: Sequence[Range]) -> list[Range]:
    """Those that are not within another, such as a Service's address within the services' range."""
    return [one for one in found if not any(is_part(one, other) for other in found)]


def is_part(one: Range, other: Range) -> bool:
    """Whether a range is within a larger one."""
    network = parsed(one.cidr)
    return one.cidr != other.cidr and network is not None and is_within(network, [other.cidr])


def routes(snapshot: Snapshot) -> Iterator[Finding]:
    """Routes that overlap the cluster now, for each workload that accepts routes."""
    if snapshot.tailnet is None:
        return
    found = overlaps(snapshot.tailnet, snapshot.ranges)
    for workload in snapshot.workloads:
        if workload.is_kernel and workload.accepts_routes:
            guarded = guards(next(iter(snapshot.of(workload)), Replica(workload=workload, name="")))
            if workload.is_component:
                guarded += snapshot.known_ranges(DNS)  # its rules keep the pod's nameservers, whatever they are
            yield from (route_finding(workload.ref, one, guarded) for one in found)


def route_finding(at: str, found: Overlap, guarded: Sequence[str]) -> Finding:
    """How bad an overlap is where routes are accepted and some addresses are guarded."""
    common = [overlap(found.route, covered.cidr) for covered in found.covered]
    if all(part is not None and is_within(part, guarded) for part in common):
        return ROUTE_OVERLAP_GUARDED.found(at, found.what)
    defect = ROUTE_OVERLAP if found.approved else ROUTE_OVERLAP_LATENT
    return defect.found(at, found.what, **found.words)


def cluster_cidrs(snapshot: Snapshot) -> Iterator[Finding]:
    """Addresses of the cluster that the component was not told of."""
    for workload in snapshot.workloads:
        if workload.is_component and workload.is_kernel and workload.accepts_routes:
            for found in snapshot.ranges:
                network = parsed(found.cidr)
                if found.use not in ("pod", "service", "cluster") or network is None or network.num_addresses == 1:
                    continue  # a pod, a node or the cluster's DNS guards its own addresses
                if not is_within(network, workload.guarded_cidrs):
                    yield CLUSTER_CIDRS_INCOMPLETE.found(
                        workload.ref, f"{found} is not in cluster_cidrs.", cidr=found.cidr
                    )


def in_tailnet_range(ranges: Iterable[Range]) -> list[Range]:
    """Those addresses of the cluster that belong to the tailnet."""
    return [found for found in ranges if any(overlap(found.cidr, str(network)) for network in TAILNET_RANGES)]


def addresses(snapshot: Snapshot) -> Iterator[Finding]:
    """Addresses of the cluster among those of the tailnet, where pods use kernel networking."""
    own = in_tailnet_range(snapshot.ranges)
    for workload in snapshot.workloads:
        if workload.is_kernel:
            pods = {address for replica in snapshot.of(workload) for address in replica.addresses}
            taken = in_tailnet_range(Range("pod", address, "its pods") for address in sorted(pods))
            yield from (TAILNET_RANGE.found(workload.ref, f"{found}.") for found in (own or taken)[:MANY_NODES])


def tailnet_dns(snapshot: Snapshot) -> Iterator[Finding]:
    """The tailnet's DNS settings against what the pods ask it."""
    dns = snapshot.tailnet.dns if snapshot.tailnet else None
    if dns is None:
        return
    addresses_of_dns = snapshot.known_ranges(DNS)
    for workload in snapshot.workloads:
        if workload.is_kernel and workload.accepts_dns:
            yield from dns_findings(
                workload.ref,
                dns,
                domain=snapshot.cluster_domain,
                addresses_of_dns=addresses_of_dns,
                asks_all=workload.asks_tailscale_for_all,
            )


def dns_findings(
    at: str, dns: TailnetDns, *, domain: str, addresses_of_dns: Sequence[str], asks_all: bool
) -> Iterator[Finding]:
    """What the tailnet's DNS settings do to pods that ask its resolver for their names, or for all names."""
    if not dns.magic_dns:
        yield MAGIC_DNS_OFF.found(at, "MagicDNS is off.")
    if not asks_all:
        return
    own = [str(ipaddress.ip_network(cidr).network_address) for cidr in addresses_of_dns]
    servers = dns.nameservers_of(f"svc.{domain}")
    words = {"domain": domain, "address": ", ".join(own) or "of the cluster's DNS"}
    if servers is None and dns.nameservers:
        what = f"No split DNS route for svc.{domain}; global nameservers {', '.join(dns.nameservers)}."
        yield SPLIT_DNS_MISSING.found(at, what, **words)
    elif servers and own and not set(servers) & set(own):
        what = f"svc.{domain} goes to {', '.join(servers)}; this cluster's DNS is {', '.join(own)}."
        yield SPLIT_DNS_ELSEWHERE.found(at, what, **words)


def look_ups(snapshot: Snapshot) -> Iterator[Finding]:
    """Names that were looked up from inside the pods."""
    for replica in snapshot.replicas:
        inside = replica.inside
        if inside is None or not replica.is_ready or replica.is_stuck:
            continue  # that it is stuck is the cause, and has a finding of its own
        for cluster_name, defect in ((True, CLUSTER_NAMES_FAIL), (False, TAILNET_NAMES_FAIL)):
            failed = failed_look_ups(inside, snapshot.cluster_domain, of_cluster=cluster_name)
            if failed:
                names = ", ".join(dict.fromkeys(name for name, _ in failed))
                servers = ", ".join(dict.fromkeys(server for _, server in failed))
                what = f"{names} cannot be looked up at {servers}."
                yield defect.found(replica.ref, what, nameserver=servers)


def failed_look_ups(inside: Inside, domain: str, *, of_cluster: bool) -> list[tuple[str, str]]:
    """Names and nameservers that failed, the cluster's or the tailnet's."""
    return [
        (look_up.name, look_up.nameserver)
        for look_up in inside.look_ups
        if not look_up.works and look_up.name.endswith(domain) == of_cluster
    ]


CHECKS = (routes, cluster_cidrs, addresses, tailnet_dns, look_ups)
