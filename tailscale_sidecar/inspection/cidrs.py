"""The address ranges that belong to a cluster, found in its own objects, and what overlaps them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ..pod.objects import Json
from .tailnet import Network

SERVICES, PODS, NODES, DNS = "service", "pod", "node", "DNS"


@dataclass(frozen=True, order=True)
class Range:
    """Addresses of the cluster."""

    use: str
    """What has them: `pod`, `service`, `node` or `DNS`."""
    cidr: str
    source: str
    """Where it was found."""

    @property
    def network(self) -> Network:
        """The same, to compute with."""
        return ipaddress.ip_network(self.cidr, strict=False)

    @property
    def address(self) -> str:
        """The first of them; the only one of a Service."""
        return str(self.network.network_address)

    def __str__(self) -> str:
        return f"{self.cidr} ({self.use} addresses, from {self.source})"


def service_ranges(service_cidrs: Sequence[Json], kubeadm: Json, kube_system_pods: Sequence[Json]) -> list[Range]:
    """Those of services: ServiceCIDR objects (Kubernetes 1.33), else kubeadm's configuration, else the API server's flag."""
    objects = [(cidr, f"ServiceCIDR {o['metadata']['name']}") for o in service_cidrs for cidr in o["spec"]["cidrs"]]
    return ranges(SERVICES, objects) or configured(
        SERVICES, kubeadm, "serviceSubnet", kube_system_pods, "service-cluster-ip-range"
    )


def pod_ranges(nodes: Sequence[Json], kubeadm: Json, kube_system_pods: Sequence[Json], cni: Json) -> list[Range]:
    """Those of pods: the cluster's whole range as configured, else what each node was given."""
    whole = configured(PODS, kubeadm, "podSubnet", kube_system_pods, "cluster-cidr")
    keys = ("cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr")
    data = cni.get("data") or {}
    cilium = [(cidr, "ConfigMap cilium-config") for key in keys for cidr in re.split(r"[ ,]+", data.get(key, ""))]
    found = [*whole, *ranges(PODS, cilium)]
    if found:
        return found
    given = {cidr for node in nodes for cidr in node["spec"].get("podCIDRs") or ()}
    return [Range(PODS, str(network), "the nodes' podCIDRs") for network in collapsed(given)]


def configured(use: str, kubeadm: Json, field: str, kube_system_pods: Sequence[Json], flag: str) -> list[Range]:
    """Ranges in kubeadm's configuration, else in a flag of the control plane's pods."""
    text = str(kubeadm.get("networking", {}).get(field, ""))
    listed = [(cidr, "ConfigMap kubeadm-config") for cidr in text.split(",")]
    return ranges(use, listed) or ranges(use, flags_of(kube_system_pods, flag))


def flags_of(pods: Sequence[Json], flag: str) -> Iterator[tuple[str, str]]:
    """The CIDRs that a flag of the control plane's pods has, each with the pod."""
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for word in [*(container.get("command") or ()), *(container.get("args") or ())]:
                if word.startswith(f"--{flag}="):
                    for cidr in word.partition("=")[2].split(","):
                        yield cidr, f"--{flag} of {pod['metadata']['name']}"


def node_ranges(nodes: Sequence[Json]) -> list[Range]:
    """The nodes' own addresses."""
    kinds = ("InternalIP", "ExternalIP")
    found = [
        (address["address"], f"Node {node['metadata']['name']}")
        for node in nodes
        for address in node.get("status", {}).get("addresses") or ()
        if address["type"] in kinds
    ]
    return ranges(NODES, found)


def dns_ranges(services: Sequence[Json]) -> list[Range]:
    """The addresses of the cluster's DNS, from the Services that are labelled so."""
    found = [
        (address, f"Service {service['metadata']['name']}")
        for service in services
        for address in service["spec"].get("clusterIPs") or ()
        if address != "None"
    ]
    return ranges(DNS, found)


def kubeadm_configuration(config_map: Json | None) -> Json:
    """What kubeadm was told of the cluster; empty in a cluster that was made otherwise."""
    text = ((config_map or {}).get("data") or {}).get("ClusterConfiguration", "")
    loaded: Any = yaml.safe_load(text) if text else {}
    return loaded if isinstance(loaded, dict) else {}


def ranges(use: str, found: Iterable[tuple[str, str]]) -> list[Range]:
    """Those that are CIDRs, each once."""
    unique: dict[str, Range] = {}
    for cidr, source in found:
        network = parsed(cidr)
        if network is not None:
            unique.setdefault(str(network), Range(use, str(network), source))
    return list(unique.values())


def parsed(cidr: str) -> Network | None:
    """A CIDR or an address; None for anything else."""
    try:
        return ipaddress.ip_network(cidr.strip(), strict=False)
    except ValueError:
        return None


def collapsed(cidrs: Iterable[str]) -> list[Network]:
    """The fewest networks that have the same addresses: neighbours as one."""
    networks = [network for network in map(parsed, cidrs) if network is not None]
    v4 = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6)]


def cluster_cidrs(found: Iterable[Range]) -> list[str]:
    """What the component's argument `cluster_cidrs` should be: the cluster's pod and service addresses."""
    return [str(network) for network in collapsed(r.cidr for r in found if r.use in (PODS, SERVICES, "cluster"))]


def overlap(one: str, other: str) -> Network | None:
    """What two CIDRs have in common: the smaller of the two, or nothing."""
    a, b = parsed(one), parsed(other)
    if a is None or b is None or a.version != b.version or not a.overlaps(b):
        return None
    return max(a, b, key=lambda network: network.prefixlen)


def is_within(network: Network, cidrs: Iterable[str]) -> bool:
    """Whether all of a network is in one of the CIDRs."""
    found = [overlap(str(network), cidr) for cidr in cidrs]
    return any(part == network for part in found)
