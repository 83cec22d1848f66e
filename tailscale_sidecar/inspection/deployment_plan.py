"""What somebody means to deploy: as much of it as the cluster or the tailnet may object to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..pod.objects import Json
from .workload import Workload, workloads

KINDS = ("ServiceAccount", "Role", "RoleBinding", "Service", "Secret", "StatefulSet")
"""What the component makes in a namespace."""
POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
"""What it makes beside that with `SecretState(access="guarded")`."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One component that is to be deployed."""

    name: str = "my-app"
    namespace: str = "default"
    is_kernel: bool = True
    tun_device: str = ""
    """The device plugin's resource; nothing where the sidecar is privileged."""
    user_namespace: bool = False
    """Whether the pods have users of their own."""
    runtime_class: str = ""
    """Of the pods; nothing where they take the nodes' own container runtime."""
    accepts_dns: bool = True
    """Whether pods ask Tailscale's resolver for the tailnet's names."""
    asks_tailscale_for_all: bool = False
    """Whether they ask it for the cluster's names too (`SplitDns`)."""
    accepts_routes: bool = False
    guarded_cidrs: tuple[str, ...] = ()
    """The argument `cluster_cidrs`."""
    auth: str = "OAuthClient"
    tags: tuple[str, ...] = ()
    device_names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = KINDS
    makes_namespace: bool = False

    @property
    def ref(self) -> str:
        """How findings name it."""
        return f"StatefulSet {self.namespace}/{self.name}"

    @property
    def is_guarded(self) -> bool:
        """Whether it needs an admission policy."""
        return POLICIES[0] in self.kinds


def plans(objects: Iterable[Json]) -> list[Plan]:
    """What a program would deploy, from the objects that it renders."""
    every = list(objects)
    namespaces = {found["metadata"]["name"] for found in every if found["kind"] == "Namespace"}
    kinds = tuple(dict.fromkeys(found["kind"] for found in every if found["kind"] in (*KINDS, *POLICIES)))
    return [plan(workload, kinds, makes_namespace=workload.namespace in namespaces) for workload in workloads(every)]


def plan(workload: Workload, kinds: tuple[str, ...], *, makes_namespace: bool) -> Plan:
    """What one workload asks for."""
    return Plan(
        name=workload.name,
        namespace=workload.namespace,
        is_kernel=workload.is_kernel,
        tun_device="" if workload.is_privileged else next(iter(workload.device_resources), ""),
        user_namespace=workload.has_user_namespace,
        runtime_class=workload.runtime_class,
        accepts_dns=workload.is_kernel and workload.accepts_dns,
        asks_tailscale_for_all=workload.asks_tailscale_for_all,
        accepts_routes=workload.accepts_routes,
        guarded_cidrs=tuple(workload.guarded_cidrs),
        auth=workload.auth,
        tags=tuple(workload.tags),
        device_names=tuple(workload.hostname(pod) for pod in workload.pod_names),
        kinds=kinds,
        makes_namespace=makes_namespace,
    )
