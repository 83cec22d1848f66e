"""What both `doctor` and `preflight` have to know of a cluster: its addresses, its domain, its nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ..clients.errors import ClusterError
from ..clients.kubernetes import Cluster
from ..pod.objects import Json
from ..report.findings import Gap
from .cidrs import (
    PODS,
    SERVICES,
    Range,
    dns_ranges,
    kubeadm_configuration,
    node_ranges,
    pod_ranges,
    ranges,
    service_ranges,
)

T = TypeVar("T")
SYSTEM = "kube-system"
CONTROL_PLANE = "component in (kube-apiserver, kube-controller-manager)"
"""The labels that kubeadm, kubespray and kind give these pods."""
ASK = "give the CIDRs with --cluster-cidr, once for each"


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """What was found out."""

    ranges: tuple[Range, ...]
    domain: str
    nodes: tuple[Json, ...]
    cni: str
    """`Cilium` where that is the cluster's; nothing where it is not known."""
    gaps: tuple[Gap, ...]
    """Of the ranges."""


def look_at_cluster(cluster: Cluster, given: Sequence[str] = ()) -> ClusterFacts:
    """Asks for all of it at once. What is refused, others may have; only what nobody had is a gap.

    `given` are CIDRs that the user knows; nothing is then missing.
    """
    refused: list[str] = []

    def ask(function: Callable[[], T], otherwise: T) -> T:
        try:
            return function()
        except ClusterError as error:
            refused.append(str(error))
            return otherwise

    with ThreadPoolExecutor() as pool:  # its own: a pool whose threads wait for one another may be shut down before
        nodes = pool.submit(ask, lambda: cluster.list("Node"), [])
        service_cidrs = pool.submit(ask, lambda: cluster.list("ServiceCIDR"), [])
        control_plane = pool.submit(ask, lambda: cluster.list("Pod", SYSTEM, labels=CONTROL_PLANE), [])
        kubeadm_map = pool.submit(ask, lambda: cluster.find("ConfigMap", "kubeadm-config", SYSTEM), None)
        cilium = pool.submit(ask, lambda: cluster.find("ConfigMap", "cilium-config", SYSTEM), None)
        dns = pool.submit(ask, lambda: cluster.list("Service", SYSTEM, labels="k8s-app=kube-dns"), [])
    kubeadm = kubeadm_configuration(kubeadm_map.result())
    services = service_ranges(service_cidrs.result(), kubeadm, control_plane.result())
    pods = pod_ranges(nodes.result(), kubeadm, control_plane.result(), cilium.result() or {})
    known = ranges("cluster", [(cidr, "--cluster-cidr") for cidr in given])
    why = "; ".join(dict.fromkeys(refused)) or "no object of the cluster names it"
    missing = [use for use, found in ((SERVICES, services), (PODS, pods)) if not found and not known]
    return ClusterFacts(
        ranges=(*known, *services, *pods, *node_ranges(nodes.result()), *dns_ranges(dns.result())),
        domain=str(kubeadm.get("networking", {}).get("dnsDomain") or "cluster.local"),
        nodes=tuple(nodes.result()),
        cni="Cilium" if cilium.result() else "",
        gaps=tuple(Gap(what=f"the cluster's {use} CIDR", why=why, do=ASK) for use in missing),
    )
