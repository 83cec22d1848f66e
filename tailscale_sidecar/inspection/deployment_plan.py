"""What somebody means to deploy: as much of it as the cluster or the tailnet may object to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..pod.objects import Json
from .workload import Workload, workloads

KINDS = ("ServiceAccount", "Role", "RoleBinding", "Service", "Secret", "StatefulSet")
"""What the component makes in a namespace."""
POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
"""What it makes beside that with `SecretState(access="guarded")`."""
ON_REQUEST = ("NetworkPolicy", "PodMonitor", "PrometheusRule")
"""What it makes beside that with `egress_policy` and with `Monitoring(operator=True)`."""
INJECTION = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
"""What `TailscaleSidecarInjection` makes."""
OTHERS = ("Deployment", "DaemonSet", "Job", "CronJob")
"""Further workloads that a sidecar can be in."""
OWNERS = {
    "Deployment": ("apps/v1", "ReplicaSet"),
    "Job": ("batch/v1", "Job"),
    "CronJob": ("batch/v1", "Job"),
}
"""What owns the pods, where it is not the workload itself, or of another API than that of StatefulSets."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One workload with a sidecar that is to be deployed."""

    kind: str = "StatefulSet"
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
    makes: frozenset[str] = frozenset()
    """Names of the namespaces, RuntimeClasses and PriorityClasses that are made with it."""
    replicas: int = 1
    pod: Json | None = None
    """One of its pods; None where it is not known."""

    @property
    def ref(self) -> str:
        """How findings name it."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def makes_namespace(self) -> bool:
        """Whether its namespace is made with it."""
        return self.namespace in self.makes

    @property
    def is_injection(self) -> bool:
        """Whether it is for pods that others make."""
        return self.kind == INJECTION[0]

    @property
    def is_guarded(self) -> bool:
        """Whether it needs an admission policy."""
        return POLICIES[0] in self.kinds


def plans(objects: Iterable[Json]) -> list[Plan]:
    """What a program would deploy, from the objects that it renders."""
    every = list(objects)
    places = ("Namespace", "PriorityClass", "RuntimeClass")
    makes = frozenset(found["metadata"]["name"] for found in every if found["kind"] in places)
    known = (*KINDS, *POLICIES, *ON_REQUEST, *INJECTION, *OTHERS)
    kinds = tuple(dict.fromkeys(found["kind"] for found in every if found["kind"] in known))
    planned = [plan(workload, kinds, makes) for workload in workloads(every, ("StatefulSet", *OTHERS))]
    return planned + [injection(found, mode, kinds, makes) for found in every if (mode := mode_of(found))]


def mode_of(policy: Json) -> str:
    """What TS_USERSPACE is in the sidecar that a policy puts into pods; nothing where it puts none there."""
    if policy["kind"] != INJECTION[0]:
        return ""
    found = re.search(r"TS_USERSPACE\W+value\W+dyn\W+(true|false)", json.dumps(policy["spec"].get("mutations", ())))
    return found[1] if found else ""


def injection(policy: Json, mode: str, kinds: tuple[str, ...], makes: frozenset[str]) -> Plan:
    """What a `TailscaleSidecarInjection` does to the pods of a namespace. They are not known, but for TS_USERSPACE (`mode`)."""
    selected = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchLabels"]
    return Plan(
        kind=policy["kind"],
        name=policy["metadata"]["name"],
        namespace=selected["kubernetes.io/metadata.name"],
        is_kernel=mode == "false",
        accepts_dns=False,
        auth="",
        kinds=kinds,
        makes=makes,
    )


def plan(workload: Workload, kinds: tuple[str, ...], makes: frozenset[str] = frozenset()) -> Plan:
    """What one workload asks for."""
    return Plan(
        kind=workload.kind,
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
        makes=makes,
        replicas=workload.replicas,
        pod=pod_of(workload),
    )


def pod_of(workload: Workload) -> Json:
    """A pod as the workload's controller would ask for it."""
    template = workload.pod_template
    metadata, spec = template.get("metadata") or {}, template["spec"]
    version, kind = OWNERS.get(workload.kind, ("apps/v1", workload.kind))
    claims = [
        {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
        for claim in workload.manifest["spec"].get("volumeClaimTemplates") or ()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **{key: metadata[key] for key in ("labels", "annotations") if key in metadata},
            "generateName": f"{workload.name}-",
            # There are policies that refuse pods without one.
            "ownerReferences": [
                {"apiVersion": version, "kind": kind, "name": workload.name, "uid": "-", "controller": True}
            ],
        },
        "spec": _legible({**spec, "volumes": [*(spec.get("volumes") or ()), *claims]}),
    }


def _legible(value: Any) -> Any:
    """The same, with text for what `render` redacts or does not know: there it writes what the API server refuses."""
    if isinstance(value, Mapping):
        if len(value) == 1 and value.keys() <= {"redacted", "unknown"}:
            return "-"
        return {key: _legible(item) for key, item in value.items()}
    return [_legible(item) for item in value] if isinstance(value, list) else value
