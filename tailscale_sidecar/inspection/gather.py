"""Gathers what `doctor` looks at: few requests whatever the number of replicas, and most of them at once."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from ..clients.errors import ClusterError
from ..clients.kubernetes import Cluster
from ..devices.state_secret import StateSecret
from ..pod.objects import Json
from ..report.findings import Gap, natural, redacted
from ..report.progress import Progress
from .cidrs import PODS, Range, ranges
from .cluster_facts import look_at_cluster
from .inside_pod import look_inside
from .snapshot import Credential, Replica, Snapshot
from .tailnet import Device, Tailnet, from_status
from .tailnet_view import by_api
from .workload import Workload, is_job_of, workloads

THREADS = 12
"""Requests at one time."""
MOST_LOGS = 8
"""Replicas of one workload whose logs are read, if they are in trouble: the others will say the same."""
MOST_INSIDE = 6
"""Replicas of one workload that are looked into, those in trouble first, and always a well one if there is any."""
WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet", "Job", "CronJob")
FIRST = ("StatefulSet", "Deployment")
"""Kinds without which a look at all workloads has not seen what it should have."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where to look."""

    namespace: str | None = None
    """None: in all namespaces."""
    kind: str | None = None
    """None: whatever kind has the name."""
    name: str | None = None
    """Of one workload. None: all that run Tailscale."""
    looks_inside: bool = True
    """Whether commands may be run in the sidecars' containers."""
    cluster_cidrs: tuple[str, ...] = ()
    """What the user knows of the cluster's addresses."""


def look(cluster: Cluster, scope: Scope, progress: Progress) -> Snapshot:
    """Looks at everything.

    Raises:
        ClusterError: Not even the workloads, or their pods, can be listed, or there is none.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        progress.step("looking for workloads that run Tailscale")
        gaps: list[Gap] = []
        found = find_workloads(cluster, scope, pool, gaps)
        progress.step(f"listing the pods, Secrets and events of {len(found)} workloads")
        return Gathering(cluster, scope, found, pool, gaps).snapshot(progress)


def find_workloads(cluster: Cluster, scope: Scope, pool: Executor, gaps: list[Gap]) -> list[Workload]:
    """Those that run Tailscale, or the one of the name that was given.

    Raises:
        ClusterError: There is none, or no kind of them can be read.
    """
    kinds = (scope.kind,) if scope.kind else WORKLOADS
    namespace = scope.namespace or (cluster.namespace if scope.name else None)

    def read(kind: str) -> list[Json] | ClusterError:
        try:
            found = [cluster.find(kind, scope.name, namespace)] if scope.name else cluster.list(kind, namespace)
        except ClusterError as error:
            return error
        return [{**one, "kind": kind} for one in found if one is not None]

    answers = dict(zip(kinds, pool.map(read, kinds), strict=True))
    refused = {kind: answer for kind, answer in answers.items() if isinstance(answer, ClusterError)}
    manifests = [one for answer in answers.values() if isinstance(answer, list) for one in answer]
    found = [workload for workload in workloads(manifests, kinds) if not workload.is_of_cron_job or scope.name]
    if not found and refused:
        raise next(iter(refused.values()))
    if not found:
        raise ClusterError(nothing_found(scope, kinds, namespace, manifests))
    if scope.name is None:
        do = "get permission to list them, or name a workload"
        gaps += [
            Gap(what=f"{kind}s", why=str(error), do=do, optional=kind not in FIRST) for kind, error in refused.items()
        ]
    return found


def nothing_found(scope: Scope, kinds: Sequence[str], namespace: str | None, manifests: Sequence[Json]) -> str:
    """Why there is no workload to look at."""
    if manifests and scope.name:
        return f"{manifests[0]['kind']} {namespace}/{scope.name} runs no Tailscale container"
    if scope.name:
        any_kind = " or ".join([", ".join(kinds[:-1]), kinds[-1]] if len(kinds) > 1 else kinds)
        return f"there is no {any_kind} {scope.name} in namespace {namespace}"
    return f"nothing in {f'namespace {namespace}' if namespace else 'the cluster'} runs Tailscale beside an app"


class Gathering:
    """One look at given workloads. What is refused is remembered as a gap, and the rest is looked at all the same."""

    def __init__(
        self, cluster: Cluster, scope: Scope, found: Sequence[Workload], pool: Executor, gaps: list[Gap]
    ) -> None:
        self._cluster = cluster
        self._scope = scope
        self._workloads = found
        self._pool = pool
        self._gaps = gaps
        self._namespaces = sorted({workload.namespace for workload in found})

    def snapshot(self, progress: Progress) -> Snapshot:
        """All of it."""
        asked = self._pool.submit(look_at_cluster, self._cluster, self._scope.cluster_cidrs)
        api = self._pool.submit(by_api)
        pods = {n: self._pool.submit(self._cluster.list, "Pod", n, labels=self._labels()) for n in self._namespaces}
        lists = {kind: self._lists(kind) for kind in ("Secret", "Event", "Role", "RoleBinding")}
        secrets, events, roles, bindings = (resolved(lists[kind]) for kind in lists)
        states = {namespace: state_secrets(listed) for namespace, listed in secrets.items()}
        facts = asked.result()
        paired = [
            replica
            for workload in self._workloads
            for replica in pair(workload, pods[workload.namespace].result(), states.get(workload.namespace, {}))
        ]
        replicas = self._looked_at(paired, facts.domain, progress)
        tailnet, api_gaps = api.result()
        view = merged(tailnet, replicas)
        return Snapshot(
            now=datetime.now(UTC),
            workloads=tuple(self._workloads),
            replicas=tuple(with_devices(replicas, view)),
            credentials={w.ref: tuple(credentials(w, secrets.get(w.namespace))) for w in self._workloads},
            secrets=states,
            events=tuple(sorted((event for listed in events.values() for event in listed), key=event_time)),
            roles=roles,
            role_bindings=tuple(binding for listed in bindings.values() for binding in listed),
            ranges=(*facts.ranges, *seen_addresses(facts.ranges, replicas)),
            cluster_domain=facts.domain,
            tailnet=view,
            gaps=(*self._gaps, *api_gaps, *(gap.model_copy(update={"optional": True}) for gap in facts.gaps)),
        )

    def _labels(self) -> str:
        """Only the pods of the one workload, if it is one."""
        selectors = [workload.selector for workload in self._workloads]
        return ",".join(f"{k}={v}" for k, v in selectors[0].items()) if len(selectors) == 1 else ""

    def _lists(self, kind: str) -> dict[str, Future[list[Json] | None]]:
        """The objects of a kind in each namespace; None where they may not be listed."""
        fields = "type=Warning" if kind == "Event" else ""

        def listed(namespace: str) -> list[Json] | None:
            try:
                return self._cluster.list(kind, namespace, fields=fields)
            except ClusterError as error:
                do = f"get permission to list {kind.lower()}s there"
                # Without its Secrets a namespace cannot be judged at all; the others say more of what is found.
                gap = Gap(what=f"{kind}s of namespace {namespace}", why=str(error), do=do, optional=kind != "Secret")
                self._gaps.append(gap)
                return None

        return {namespace: self._pool.submit(listed, namespace) for namespace in self._namespaces}

    def _looked_at(self, replicas: list[Replica], domain: str, progress: Progress) -> list[Replica]:
        """The replicas, with the logs of those in trouble, and some of them looked into."""
        progress.step("reading the logs of replicas that are in trouble")
        telling = {id(replica) for replica in first_of_each(replicas, in_trouble, MOST_LOGS)}
        replicas = list(self._pool.map(lambda r: self._with_logs(r) if id(r) in telling else r, replicas))
        if not self._scope.looks_inside:
            return replicas
        progress.step("looking into replicas, and trying their DNS")
        replicas = self._with_insides(replicas, domain)
        return list(self._pool.map(lambda r: self._with_logs(r) if is_silent(r) else r, replicas))

    def _with_logs(self, replica: Replica) -> Replica:
        """The replica with the ends of its logs."""
        container = replica.troubled_container
        try:
            log, previous = (
                self._cluster.logs(replica.name, replica.workload.namespace, container, previous=previous)
                for previous in (False, True)
            )
        except ClusterError as error:
            self._gaps.append(
                Gap(what=f"the log of {replica.ref}", why=str(error), do="get permission to read the logs of pods")
            )
            return replica
        last_words = "\n".join([previous, *replica.last_words])
        return replace(replica, log=redacted(log), previous_log=redacted(last_words))

    def _with_insides(self, replicas: list[Replica], domain: str) -> list[Replica]:
        """The replicas, some of them looked into; one of each workload shows its peers too."""
        chosen = [
            r for workload in self._workloads for r in to_look_into([r for r in replicas if r.workload is workload])
        ]
        shows_peers = {id(replica) for replica in first_of_each(chosen, lambda r: r.is_ready, 1)}
        looked_into = {id(replica) for replica in chosen}

        def looked(replica: Replica) -> Replica:
            if id(replica) not in looked_into:
                return replica
            peers = id(replica) in shows_peers
            try:
                inside = look_inside(self._cluster, replica.name, replica.workload, domain=domain, peers=peers)
            except ClusterError as error:
                do = "get permission for pods/exec, or say --no-exec"
                self._gaps.append(Gap(what=f"the inside of {replica.ref}", why=str(error), do=do))
                return replica
            return replace(replica, inside=inside)

        return list(self._pool.map(looked, replicas))


def pair(workload: Workload, pods: Iterable[Json], states: Mapping[str, StateSecret]) -> list[Replica]:
    """The replicas of a workload, those too that have no pod, and those that are about to go."""
    own = {pod["metadata"]["name"]: pod for pod in pods if belongs(pod, workload)}
    names = dict.fromkeys([*workload.pod_names, *sorted(own, key=natural)])
    found = [Replica(workload=workload, name=name, pod=own.get(name)) for name in names]
    return [replace(replica, state=states.get(replica.state_secret)) for replica in found]


def belongs(pod: Json, workload: Workload) -> bool:
    """Whether a pod is one of a workload's."""
    metadata = pod["metadata"]
    if metadata["namespace"] != workload.namespace:
        return False
    owners = metadata.get("ownerReferences") or ()
    if workload.kind == "CronJob":
        return any(owner["kind"] == "Job" and is_job_of(owner["name"], workload.name) for owner in owners)
    if workload.kind in ("StatefulSet", "DaemonSet", "Job"):
        return any(owner["kind"] == workload.kind and owner["name"] == workload.name for owner in owners)
    labels = metadata.get("labels") or {}
    return bool(workload.selector) and workload.selector.items() <= labels.items()


def in_trouble(replica: Replica) -> bool:
    """Whether a replica's log may say something: it is not ready, or was restarted."""
    return replica.pod is not None and not replica.has_ended and (not replica.is_ready or replica.restarts > 0)


def is_silent(replica: Replica) -> bool:
    """Whether a replica looks well from outside, but is not on the tailnet: its log was not read yet."""
    return replica.inside is not None and not replica.inside.is_connected and not in_trouble(replica)


def first_of_each(replicas: Iterable[Replica], wanted: Callable[[Replica], bool], most: int) -> list[Replica]:
    """The first `most` of each workload's replicas that are wanted."""
    chosen: dict[str, list[Replica]] = {}
    for replica in filter(wanted, replicas):
        chosen.setdefault(replica.workload.ref, []).append(replica)
    return [replica for found in chosen.values() for replica in found[:most]]


def to_look_into(replicas: Sequence[Replica]) -> list[Replica]:
    """Replicas of one workload whose sidecar runs: a well one, and of those in trouble as many as fit."""
    running = [r for r in replicas if (r.sidecar_status.get("state") or {}).get("running") and not r.is_ending]
    well = [r for r in running if not in_trouble(r)]
    troubled = [r for r in running if in_trouble(r)]
    return [*well[:1], *troubled, *well[1:]][:MOST_INSIDE]


def state_secrets(listed: Iterable[Json]) -> dict[str, StateSecret]:
    """What may be known of each Secret that is not a credential of another kind: no value that is secret is kept."""
    return {s["metadata"]["name"]: StateSecret.of(s) for s in listed if s.get("type", "Opaque") == "Opaque"}


def credentials(workload: Workload, listed: Sequence[Json] | None) -> Iterable[Credential]:
    """The credentials that a workload's sidecar refers to; none where the Secrets may not be listed."""
    by_name = {secret["metadata"]["name"]: secret.get("data") or {} for secret in listed or ()}
    for name, key in workload.credential_references if listed is not None else ():
        encoded = by_name.get(name, {}).get(key)
        value = base64.b64decode(encoded or "").decode(errors="replace")
        prefix = re.match(r"[ht]skey-[a-z]+", value)
        attributes = dict(parse_qsl(value.partition("?")[2])) if prefix else {}
        safe = {k: v for k, v in attributes.items() if k in ("ephemeral", "preauthorized")}
        yield Credential(
            secret=name, key=key, exists=encoded is not None, kind=prefix[0] if prefix else "", attributes=safe
        )


def merged(tailnet: Tailnet | None, replicas: Sequence[Replica]) -> Tailnet | None:
    """The API's view; without it, what replicas see of each other. Each knows best about itself, the API about all."""
    views = [
        (replica, from_status(replica.inside.status, f"{replica.name}'s tailscaled", replica.inside.dns))
        for replica in replicas
        if replica.inside and replica.inside.is_connected and replica.inside.status
    ]
    if not views:
        return tailnet
    devices: dict[str, Device] = {}
    for _, view in views:
        devices.update({device.id: device for device in view.devices[1:]})
    for _, view in views:
        devices.update({device.id: device for device in view.devices[:1]})
    devices.update({device.id: device for device in (tailnet.devices if tailnet else ())})
    base = tailnet or Tailnet(source=views[0][1].source)
    dns = next((view.dns for view in (base, *(view for _, view in views)) if view.dns), None)
    return replace(base, devices=tuple(devices.values()), dns=dns)


def with_devices(replicas: Iterable[Replica], tailnet: Tailnet | None) -> list[Replica]:
    """The replicas with their devices: by the ID in their state, by what their tailscaled says, or by name."""
    by_id = {device.id: device for device in (tailnet.devices if tailnet else ())}
    by_name = {device.label: device for device in by_id.values()}

    def found(replica: Replica) -> Device | None:
        own = ((replica.inside.status if replica.inside else None) or {}).get("Self") or {}
        for device_id in (replica.state.device_id if replica.state else "", own.get("ID", "")):
            if device_id:
                return by_id.get(device_id)
        # In a Secret, an ID is missing because there is no device yet; elsewhere it cannot be read from here.
        return None if replica.workload.state.kind == "secret" else by_name.get(replica.hostname)

    return [replace(replica, device=found(replica)) for replica in replicas]


def seen_addresses(known: Sequence[Range], replicas: Iterable[Replica]) -> list[Range]:
    """The replicas' own addresses, where nothing says what the pods' addresses are."""
    if any(found.use in (PODS, "cluster") for found in known):
        return []
    return ranges(PODS, ((address, replica.ref) for replica in replicas for address in replica.addresses))


def resolved(lists: Mapping[str, Future[list[Json] | None]]) -> dict[str, list[Json]]:
    """What was listed, by namespace; without those where it was refused."""
    return {namespace: listed for namespace, found in lists.items() if (listed := found.result()) is not None}


def event_time(event: Json) -> str:
    """When an event was last seen; Kubernetes writes its times so that they sort as text."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
