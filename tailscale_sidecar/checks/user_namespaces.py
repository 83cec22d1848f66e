"""Checks of a plan for pods with users of their own (`hostUsers: false`): what the cluster and its nodes must be able to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..inspection.deployment_plan import Plan
from ..inspection.deployment_target import Ground
from ..inspection.overlaps import MANY_NODES
from ..pod.objects import Json
from ..report.findings import Defect, Severity, listed
from .logs import USER_NAMESPACE_DROPPED
from .plans import API_SERVER, kubernetes_releases
from .pod_admission import pod_made
from .registry import Seen, check_plan

SOURCE = "https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/"
INSTEAD = "or remove user_namespace"
OLDEST_KUBERNETES = (1, 33)
OLDEST_RUNTIMES = {"containerd": (2, 0), "cri-o": (1, 25)}
OLDEST_KERNEL = (6, 3)


OLD_KUBERNETES = Defect(
    name="kubernetes-too-old-for-user-namespaces",
    severity=Severity.WARNING,
    why=(
        "User namespaces are on from Kubernetes 1.33. Older ones drop hostUsers and say nothing, unless the feature gate "
        "UserNamespacesSupport is on; the sidecar then refuses to start."
    ),
    do=f"See that the gate is on, on API server and kubelets; upgrade the cluster; {INSTEAD}.",
    source=SOURCE,
)


@check_plan(OLD_KUBERNETES)
def old_kubernetes(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if not plan.user_namespace:
        return
    releases = kubernetes_releases(ground)
    pod = pod_made(ground, plan)
    if pod is not None:
        api_server = releases.pop(API_SERVER, OLDEST_KUBERNETES)
        if keeps_user_namespace(pod) and api_server < OLDEST_KUBERNETES:
            return  # the gate was switched on there, and so on the nodes
    for what, release in releases.items():
        if release < OLDEST_KUBERNETES:
            yield Seen(f"{what} is {release[0]}.{release[1]}.")


@check_plan(USER_NAMESPACE_DROPPED)
def user_namespace_dropped(ground: Ground, plan: Plan) -> Iterator[Seen]:
    pod = pod_made(ground, plan)
    if plan.user_namespace and pod is not None and not keeps_user_namespace(pod):
        yield Seen("The API server would make the pod without hostUsers: false.")


def keeps_user_namespace(pod: Json) -> bool:
    """Whether a pod has users of its own."""
    return pod["spec"].get("hostUsers") is False


OLD_RUNTIME = Defect(
    name="runtime-too-old-for-user-namespaces",
    severity=Severity.ERROR,
    why="Pods with hostUsers false need containerd 2.0 or CRI-O 1.25; older ones never start them.",
    do=f"Upgrade the nodes' container runtime, keep the pods off these nodes, {INSTEAD}.",
    source=SOURCE,
)


@check_plan(OLD_RUNTIME)
def old_runtime(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if plan.user_namespace:
        for runtime, oldest in OLDEST_RUNTIMES.items():
            yield from older(ground, "containerRuntimeVersion", rf"{runtime}://", oldest)


OLD_KERNEL = Defect(
    name="kernel-too-old-for-user-namespaces",
    severity=Severity.ERROR,
    why="Volumes of pods with hostUsers false need idmapped mounts, which Linux has for files in memory from 6.3 on.",
    do=f"Upgrade the nodes' kernel, keep the pods off these nodes, {INSTEAD}.",
    source=SOURCE,
)


@check_plan(OLD_KERNEL)
def old_kernel(ground: Ground, plan: Plan) -> Iterator[Seen]:
    if plan.user_namespace:
        yield from older(ground, "kernelVersion", "", OLDEST_KERNEL)


def older(ground: Ground, field: str, before: str, oldest: tuple[int, int]) -> Iterator[Seen]:
    """Nodes whose `nodeInfo` has an older version than that in a field, `before` which stands what it is of."""
    nodes: dict[str, list[str]] = {}
    for node in ground.nodes:
        says = str(node["status"].get("nodeInfo", {}).get(field, ""))
        release = re.match(rf"{before}v?(\d+)\.(\d+)", says)
        if release and (int(release[1]), int(release[2])) < oldest:
            nodes.setdefault(says, []).append(str(node["metadata"]["name"]))
    for says, names in nodes.items():
        yield Seen(f"{field} of {listed(names, MANY_NODES)} is {says}.")
