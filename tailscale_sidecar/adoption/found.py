"""What is there: in the cluster, or in a manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, takewhile

from ..clients.errors import ClusterError
from ..clients.kubernetes import Cluster
from ..inspection.cidrs import cluster_cidrs
from ..inspection.cluster_facts import look_at_cluster
from ..inspection.env_sources import Find, read_sources
from ..inspection.manifests import objects
from ..inspection.workload import Workload, pod_template, sidecar_of, workloads
from ..pod.objects import Json
from ..report.findings import listed
from ..report.progress import Progress

KINDS = ("StatefulSet", "Deployment", "Pod")
"""What can be adopted."""
Listed = Callable[[str], list[Json]]
"""All objects of a kind, of the namespace or of the cluster. May raise ClusterError."""


class CannotAdoptError(Exception):
    """The component is not for this workload, or its replicas would become other devices; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A workload that runs Tailscale as a sidecar, and what is around it."""

    workload: Workload
    """With the values that its variables have from Secrets and ConfigMaps."""
    find: Find
    listed: Listed
    is_file: bool = False
    cluster_cidrs: Sequence[str] = ()
    """The cluster's pod and service CIDRs, as far as they are known."""
    pods: Sequence[str] = ()
    """The names of its pods, as far as they are known."""
    spare: int = 0
    """State Secrets beyond the replicas: it was scaled down."""

    @property
    def name(self) -> str:
        """Of the workload, and of the StatefulSet that the component makes."""
        return self.workload.name

    def all_of(self, kind: str) -> list[Json]:
        """All objects of a kind that can be seen."""
        with suppress(ClusterError):
            return self.listed(kind)
        return []


def in_cluster(
    cluster: Cluster, name: str, given: Sequence[str], say: Callable[[str], None], kinds: Sequence[str] = KINDS
) -> Found:
    """A workload of the cluster's namespace. `say` is told what of the cluster could not be found."""
    there = {kind: found for kind in kinds if (found := cluster.find(kind, name)) is not None}
    if not there:
        raise CannotAdoptError(f"there is no {' and no '.join(kinds)} {cluster.namespace}/{name}")
    kind, manifest = next(
        ((kind, found) for kind, found in there.items() if sidecar_of(pod_template({**found, "kind": kind})["spec"])),
        ("", {}),
    )
    if not kind:
        raise CannotAdoptError(f"{next(iter(there))} {cluster.namespace}/{name} runs no tailscale container")
    workload = with_sources(Workload({**manifest, "kind": kind}), cluster.find, "let yourself read it")
    cidrs: list[str] = []
    if workload.is_kernel and workload.accepts_routes:
        with Progress() as progress:
            progress.step("looking for the cluster's addresses")
            facts = look_at_cluster(cluster, given)
        for gap in facts.gaps:
            say(f"{gap.what} was not found: {gap.why}; {gap.do}")
        cidrs = [] if facts.gaps else cluster_cidrs(facts.ranges)
    return Found(
        workload=workload,
        find=cluster.find,
        listed=lambda kind: cluster.list(kind, None if kind.startswith("Cluster") else cluster.namespace),
        cluster_cidrs=cidrs,
        pods=pods_of(workload, cluster),
        spare=spare(workload, cluster.find),
    )


def pods_of(workload: Workload, cluster: Cluster) -> list[str]:
    """The names of a workload's pods."""
    if workload.kind != "Deployment":
        return [workload.name] if workload.kind == "Pod" else workload.pod_names
    labels = ",".join(f"{key}={value}" for key, value in workload.selector.items())
    listed = cluster.list("Pod", workload.namespace, labels=labels) if labels else []
    names = [found["metadata"]["name"] for found in listed if "deletionTimestamp" not in found["metadata"]]
    return [name for name in names if name.startswith(f"{workload.name}-")]


def spare(workload: Workload, find: Find) -> int:
    """How many state Secrets there are beyond the replicas, without a gap."""
    if workload.kind != "StatefulSet":
        return 0
    first = int((workload.manifest["spec"].get("ordinals") or {}).get("start", 0))
    beyond = takewhile(
        lambda ordinal: holds_identity(find("Secret", f"{workload.name}-{ordinal}")), count(first + workload.replicas)
    )
    return len(list(beyond))


def holds_identity(secret: Json | None) -> bool:
    """Whether a Secret is one that tailscaled keeps its state in."""
    return bool(secret and {"_machinekey", "_current-profile", "device_id"} & (secret.get("data") or {}).keys())


def in_file(
    text: str, source: str, namespace: str, name: str, given: Sequence[str], kinds: Sequence[str] = KINDS
) -> Found:
    """A workload that a manifest has. That its state Secrets are there is taken for granted.

    Args:
        text: The manifest.
        source: How errors name it.
        namespace: Of the workload; nothing where any is meant.
        name: Of the workload; nothing where there is but one.
        given: The cluster's CIDRs.
        kinds: What it may be.
    """
    every = [in_namespace(found, namespace) for found in objects(text, source)]
    named = [found for found in every if found["metadata"].get("name")]
    runs = list(workloads(named, kinds))
    found = [w for w in runs if name in ("", w.name) and namespace in ("", w.namespace)]
    if len(found) != 1:
        raise CannotAdoptError(
            f"{source} has {len(found)} such workloads with a tailscale container: "
            + (f"name one of {', '.join(w.ref for w in found)}" if found else f"there are {seen(every)}")
        )
    (workload,) = found
    own = [one for one in named if one["metadata"].get("namespace") in (None, workload.namespace)]
    there = {(o["kind"], o["metadata"]["name"]): o for o in own}
    workload = with_sources(workload, lambda *key: there.get(key), f"add it to {source}, or ask the cluster")
    there = {("Secret", workload.state_secret(pod)): {} for pod in workload.pod_names} | there
    return Found(
        workload=workload,
        find=lambda *key: there.get(key),
        listed=lambda kind: [one for one in own if one["kind"] == kind],
        is_file=True,
        cluster_cidrs=given,
        pods=[workload.name] if workload.kind == "Pod" else workload.pod_names,
    )


def in_namespace(found: Json, namespace: str) -> Json:
    """An object of a manifest, with the namespace that it is put into where it names none."""
    if found["kind"].startswith("Cluster") or found["metadata"].get("namespace"):
        return found
    return {**found, "metadata": {**found["metadata"], "namespace": namespace or "default"}}


def seen(found: Sequence[Json]) -> str:
    """What a manifest has, in words."""
    names = [f"{one['kind']} {one['metadata'].get('name') or 'without a name'}" for one in found]
    return listed(names, 5) or "no objects"


def with_sources(workload: Workload, find: Find, advice: str) -> Workload:
    """A workload whose sidecar's variables are known.

    Raises:
        CannotAdoptError: One that says what the sidecar does cannot be read.
    """
    sidecar, unread = read_sources(workload.sidecar, find)
    if unread:
        one = unread[0]
        what = f"its variable {one.variable} comes" if one.variable else "its variables come (envFrom)"
        raise CannotAdoptError(
            f"{workload.ref}: {what} from {one.source}, which {one.why.removeprefix('which ')}: where its identity is, "
            f"and what it does, is not known; {advice}"
        )
    spec = dict(workload.pod_spec)
    for field in ("initContainers", "containers"):
        spec[field] = [sidecar if one is workload.sidecar else one for one in spec.get(field) or ()]
    if workload.kind == "Pod":
        return replace(workload, manifest={**workload.manifest, "spec": spec})
    own = workload.manifest["spec"]
    template = {**own["template"], "spec": spec}
    return replace(workload, manifest={**workload.manifest, "spec": {**own, "template": template}})
