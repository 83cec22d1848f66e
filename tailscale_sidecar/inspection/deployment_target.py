"""Where something is to be deployed: what `preflight` looks at, and how it gets to know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from ..clients.errors import ClusterError
from ..clients.kubernetes import Cluster
from ..clients.rbac import allows
from ..pod.objects import Json
from ..report.findings import Gap
from ..report.progress import Progress
from .cidrs import Range
from .cluster_facts import look_at_cluster
from .deployment_plan import Plan
from .dry_run import Verdict, verdict
from .overlaps import Overlap, overlaps
from .tailnet import Tailnet
from .tailnet_view import HOW_TO_SEE, by_api, by_local_tailscale

RESOURCES = {
    "CronJob": ("batch", "cronjobs"),
    "DaemonSet": ("apps", "daemonsets"),
    "Deployment": ("apps", "deployments"),
    "Event": ("", "events"),
    "Job": ("batch", "jobs"),
    "MutatingAdmissionPolicy": ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    "MutatingAdmissionPolicyBinding": ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    "NetworkPolicy": ("networking.k8s.io", "networkpolicies"),
    "Pod": ("", "pods"),
    "PodMonitor": ("monitoring.coreos.com", "podmonitors"),
    "PrometheusRule": ("monitoring.coreos.com", "prometheusrules"),
    "Role": ("rbac.authorization.k8s.io", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io", "rolebindings"),
    "Secret": ("", "secrets"),
    "Service": ("", "services"),
    "ServiceAccount": ("", "serviceaccounts"),
    "StatefulSet": ("apps", "statefulsets"),
    "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
}
MADE = ("get", "create", "patch", "delete")
"""What `pulumi up` and `pulumi destroy` do with each object."""
WATCHED = ("list", "watch")
"""What Pulumi does with workloads and pods while it waits for them."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What was found out about the cluster and the tailnet."""

    version: tuple[int, int] | None = None
    """Of the API server."""
    nodes: tuple[Json, ...] = ()
    cni: str = ""
    ranges: tuple[Range, ...] = ()
    domain: str = "cluster.local"
    namespaces: dict[str, str | None] = field(default_factory=dict)
    """The Pod Security level that each namespace enforces, empty without one; None where the namespace is not there."""
    denied: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What the caller may not do in each namespace, such as `create roles`."""
    deployed: Mapping[str, int] = field(default_factory=dict)
    """Planned workloads that are there already, by how findings name them, each with its replicas."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """What the API server says of a pod of each plan, likewise; none where it could not be asked."""
    quotas: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    """Each namespace's ResourceQuotas."""
    tailnet: Tailnet | None = None
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def overlaps(self) -> list[Overlap]:
        """Routes of the tailnet that cover addresses of the cluster."""
        return overlaps(self.tailnet, self.ranges) if self.tailnet else []


def needed(plan: Plan) -> set[tuple[str, str, str]]:
    """Verb, API group and resource of what somebody must be allowed who deploys a plan."""
    wanted = {(verb, kind) for kind in plan.kinds for verb in MADE}
    if not plan.is_injection:
        wanted |= {(verb, kind) for kind in (plan.kind, "Pod") for verb in WATCHED}
    if (
        "Role" in plan.kinds
    ):  # nobody can give what they do not have: kubernetes.io/docs/reference/access-authn-authz/rbac
        wanted |= {("update", "Secret"), *((verb, "Event") for verb in ("get", "create", "patch"))}
    return {(verb, *RESOURCES[kind]) for verb, kind in wanted}


def survey(cluster: Cluster, plans: Sequence[Plan], cluster_cidrs: Sequence[str], progress: Progress) -> Ground:
    """Looks at the cluster and the tailnet.

    Raises:
        ClusterError: The cluster does not answer.
    """
    progress.step("asking the cluster for its version")
    version = cluster.version()
    progress.step("looking for the cluster's addresses, and at what is allowed there")
    gaps: list[Gap] = []
    namespaces = list(dict.fromkeys(plan.namespace for plan in plans))
    with ThreadPoolExecutor() as pool:
        looking = pool.submit(look_at_cluster, cluster, cluster_cidrs)
        levels = list(pool.map(lambda namespace: pod_security(cluster, namespace, gaps), namespaces))
        denied = list(pool.map(lambda namespace: refused(cluster, namespace, plans, gaps), namespaces))
        there = list(pool.map(lambda plan: replicas_of(cluster, plan), plans))
        quotas = list(pool.map(lambda namespace: quotas_of(cluster, namespace, gaps), namespaces))
        progress.step("asking the API server whether it would make one pod")
        verdicts = list(pool.map(lambda plan: verdict(cluster, plan, gaps), plans))
        progress.step("looking at the tailnet")
        tailnet, api_gaps = by_api()
        tailnet = tailnet or by_local_tailscale()
        facts = looking.result()
    if tailnet is None and not api_gaps:
        gaps.append(
            Gap(what="the tailnet: routes, DNS, tags", why="none can be seen from here", do=HOW_TO_SEE, optional=True)
        )
    return Ground(
        version=version,
        nodes=facts.nodes,
        cni=facts.cni,
        ranges=facts.ranges,
        domain=facts.domain,
        namespaces=dict(zip(namespaces, levels, strict=True)),
        denied=dict(zip(namespaces, denied, strict=True)),
        deployed={plan.ref: found for plan, found in zip(plans, there, strict=True) if found is not None},
        verdicts={plan.ref: found for plan, found in zip(plans, verdicts, strict=True) if found is not None},
        quotas=dict(zip(namespaces, quotas, strict=True)),
        tailnet=tailnet,
        gaps=(*facts.gaps, *gaps, *api_gaps),
    )


def pod_security(cluster: Cluster, namespace: str, gaps: list[Gap]) -> str | None:
    """The level that a namespace enforces; None where there is no such namespace."""
    try:
        found = cluster.find("Namespace", namespace)
    except ClusterError as error:
        gaps.append(Gap(what=f"namespace {namespace}", why=str(error), do="get permission to read it"))
        return ""
    if found is None:
        return None
    return str((found["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce", ""))


def refused(cluster: Cluster, namespace: str, plans: Iterable[Plan], gaps: list[Gap]) -> tuple[str, ...]:
    """What the caller may not do in a namespace, of all that its plans need."""
    wanted = {one for plan in plans if plan.namespace == namespace for one in needed(plan)}
    try:
        rules = cluster.my_rules(namespace)["resourceRules"]
        # The review may leave out what a webhook would allow, and says nothing of what is outside of the namespace.
        unsure = sorted(
            (verb, group, resource)
            for verb, group, resource in wanted
            if not allows(rules, verb, resource, group=group)
        )
        return tuple(
            f"{verb} {resource}"
            for verb, group, resource in unsure
            if not cluster.may_i(verb, group, resource, namespace)
        )
    except ClusterError as error:
        gaps.append(
            Gap(what=f"your permissions in namespace {namespace}", why=str(error), do="ask who runs the cluster")
        )
        return ()


def replicas_of(cluster: Cluster, plan: Plan) -> int | None:
    """The replicas of a plan's workload that is there already; None where it is not, or may not be read."""
    try:
        found = cluster.find(plan.kind, plan.name, plan.namespace)
    except ClusterError:
        return None
    return None if found is None else int(found["spec"].get("replicas", 1))


def quotas_of(cluster: Cluster, namespace: str, gaps: list[Gap]) -> tuple[Json, ...]:
    """A namespace's ResourceQuotas."""
    try:
        return tuple(cluster.list("ResourceQuota", namespace))
    except ClusterError as error:
        do = "get permission to list them"
        gaps.append(Gap(what=f"ResourceQuotas of namespace {namespace}", why=str(error), do=do, optional=True))
        return ()
