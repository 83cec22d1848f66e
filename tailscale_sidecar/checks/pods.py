"""Checks of pods: whether they are there, come up and stay up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from ..inspection.snapshot import Replica, Snapshot
from ..inspection.workload import Workload
from ..pod.contract import QUAD100
from ..pod.objects import Json
from ..report.findings import GUIDE, UPSTREAM, Defect, Severity, quoted
from . import logs
from .registry import Seen, check_replica, check_workload, not_ready_because
from .words import ago, restarted, words, words_of_workload

RECENT = timedelta(days=1)
"""How long a restart that went well is worth a warning."""
KILLED_BY_MEMORY = "OOMKilled"

POD_SECURITY_SAYS = "violates PodSecurity"
"""k8s.io/pod-security-admission@v0.37.2 admission/admission.go."""
POD_SECURITY = Defect(
    name="pod-security-forbids",
    severity=Severity.ERROR,
    why="Kernel networking needs privileges that the namespace's Pod Security level forbids.",
    do="Label the namespace pod-security.kubernetes.io/enforce=privileged, or use UserspaceNetworking().",
    source="https://kubernetes.io/docs/concepts/security/pod-security-standards",
)


@check_workload(POD_SECURITY)
def pod_security(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    return refused_pods(snapshot, workload, POD_SECURITY_SAYS)


STRIPPED_SAYS = "without restartPolicy=Always"
"""k8s.io/kubernetes@v1.37.2 pkg/apis/core/validation/validation.go, of an init container that has what only a native sidecar
may have: a probe, or hooks."""
NO_RESTART_POLICY = Defect(
    name="restart-policy-stripped",
    severity=Severity.ERROR,
    why=(
        "Something that changes pods on their way in does not know restartPolicy of init containers and dropped it. "
        "Kubernetes refuses the pod then, where the sidecar has a probe. Else the sidecar is an init container that never "
        "ends, and the pod waits for its end for ever."
    ),
    do=(
        "kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies lists what changes pods. Update it, or except "
        "the namespace from it."
    ),
    source="https://github.com/aws/aws-app-mesh-controller-for-k8s/issues/774",
)


@check_workload(NO_RESTART_POLICY)
def refused_without_restart_policy(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    return refused_pods(snapshot, workload, STRIPPED_SAYS)


REFUSALS = (POD_SECURITY_SAYS, STRIPPED_SAYS)
"""What tells of a cause that is a finding of the workload, and not of each pod that is missing."""


def is_of_workload(message: str) -> bool:
    """Whether what Kubernetes says of a pod that it could not make tells of such a cause."""
    return any(says in message for says in REFUSALS)


def refused_pods(snapshot: Snapshot, workload: Workload, says: str) -> Iterator[Seen]:
    """What Kubernetes says of the workload's pods that it could not make, where it names this cause."""
    missing = (why_missing(snapshot, replica) for replica in snapshot.of(workload) if replica.is_missing)
    for message in (*missing, why_fewer(snapshot, workload)):
        if says in message:
            yield Seen(quoted(message))


def why_missing(snapshot: Snapshot, replica: Replica) -> str:
    """What Kubernetes says of a pod that it could not make; else of another one of the same workload."""
    messages = failed_to_make(snapshot, replica.workload)
    return next((m for m in reversed(messages) if f"{replica.name} " in f"{m} "), messages[-1] if messages else "")


def why_fewer(snapshot: Snapshot, workload: Workload) -> str:
    """What Kubernetes says of pods without names of their own that it could not make; nothing where all are there."""
    there = [replica for replica in snapshot.of(workload) if not replica.has_ended or workload.kind == "CronJob"]
    messages = failed_to_make(snapshot, workload) if workload.kind != "StatefulSet" else []
    return messages[-1] if messages and len(there) < workload.pods_wanted else ""


def failed_to_make(snapshot: Snapshot, workload: Workload) -> list[str]:
    """What Kubernetes says of a workload's pods that it could not make, the newest last."""
    # A Deployment's pods are made by its ReplicaSets, a CronJob's by its Jobs.
    maker, ending = {"Deployment": ("ReplicaSet", "-[a-z0-9]+"), "CronJob": ("Job", r"-\d+")}.get(
        workload.kind, (workload.kind, "")
    )
    return [
        str(event.get("message", ""))
        for event in snapshot.events
        if event.get("reason") == "FailedCreate"
        and event["involvedObject"].get("kind") == maker
        and event["involvedObject"].get("namespace") == workload.namespace
        and re.fullmatch(re.escape(workload.name) + ending, str(event["involvedObject"].get("name")))
    ]


MISSING = Defect(
    name="replica-missing",
    severity=Severity.ERROR,
    why="Kubernetes has not made the pod.",
    do="kubectl describe {kind} {workload} --namespace {namespace} shows its events.",
    source="https://kubernetes.io/docs/tasks/debug/debug-application/debug-statefulset/",
)


@check_replica(MISSING)
def missing(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    if not replica.is_missing:
        return
    workload, message = replica.workload, why_missing(snapshot, replica)
    if is_of_workload(message):
        return
    # With OrderedReady the pods after one that is not ready are not made yet, and need no finding of their own.
    names = {other.name: other for other in snapshot.of(workload)}
    before = names.get(f"{workload.name}-{int(replica.name.rpartition('-')[2]) - 1}")
    ordered = workload.manifest["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    if message or before is None or before.is_ready or not ordered:
        yield Seen(quoted(message) or "There is no such pod.", {"kind": workload.kind.lower(), **words(replica)})


@check_workload(MISSING)
def fewer_than_wanted(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    """Of workloads whose pods have no names of their own."""
    message = why_fewer(snapshot, workload)
    if message and not is_of_workload(message):
        yield Seen(quoted(message), words_of_workload(workload))


# -- pods that are not ready -------------------------------------------------------------------


UNSCHEDULABLE = Defect(
    name="pod-unschedulable",
    severity=Severity.ERROR,
    why="The scheduler finds no node for the pod. What it says counts the nodes by the reason why each does not do.",
    do="Free or add what is missing, or change what the pod asks for: requests, node selectors, tolerations, volumes' zones.",
    source="https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/",
)


@not_ready_because(UNSCHEDULABLE)
def unschedulable(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    scheduled = replica.condition("PodScheduled")
    if scheduled.get("status") == "False":
        yield Seen(quoted(str(scheduled.get("message") or scheduled.get("reason") or "No node was found.")))


@not_ready_because(NO_RESTART_POLICY)
def restart_policy_stripped(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    return stripped(replica.workload.pod_spec, replica.init_containers)


def stripped(asked: Json, init_containers: Sequence[Json]) -> Iterator[Seen]:
    """Native sidecars that were asked for, and that a pod has as init containers that end."""
    for container in asked.get("initContainers") or ():
        made = next((c for c in init_containers if c.get("name") == container.get("name")), None)
        if container.get("restartPolicy") == "Always" and made is not None and "restartPolicy" not in made:
            yield Seen(
                f"Init container {container.get('name')} has restartPolicy Always in the template, and none in the pod."
            )


NO_USER_NAMESPACES = Defect(
    name="runtime-without-user-namespaces",
    severity=Severity.ERROR,
    why="The pod asks for users of its own (hostUsers: false), and the container runtime of its node cannot give them.",
    do="Upgrade node {node} to containerd 2.0 or CRI-O 1.25 with runc 1.2 or crun 1.9, or remove hostUsers (user_namespace).",
    source="https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/",
)


@not_ready_because(NO_USER_NAMESPACES)
def no_user_namespaces(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    return said_of(snapshot, replica, "support user namespaces")


NO_IDMAPPED_MOUNT = Defect(
    name="volume-without-idmapped-mount",
    severity=Severity.ERROR,
    why="The users of a pod with hostUsers false are mapped in each of its volumes, and the kernel cannot do that in one.",
    do="Take the volume that is named off the pod, put it on another file system, or remove hostUsers (user_namespace).",
    source="https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/",
)


@not_ready_because(NO_IDMAPPED_MOUNT)
def no_idmapped_mount(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    return said_of(snapshot, replica, "MOUNT_ATTR_IDMAP")


def said_of(snapshot: Snapshot, replica: Replica, words_of_it: str) -> Iterator[Seen]:
    """The last event of the pod that has these words; others, such as BackOff, come in between."""
    events = snapshot.events_of("Pod", replica.name, replica.workload.namespace)
    messages = (str(event.get("message", "")) for event in reversed(events))
    message = next((message for message in messages if words_of_it in message), None)
    if message is not None:
        yield Seen(quoted(message), {"node": replica.node})


@not_ready_because(logs.STUCK_AFTER_CRASH)
def stuck(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    if replica.is_stuck:
        yield Seen(what_is_stuck(replica), words(replica))


def what_is_stuck(replica: Replica) -> str:
    """What was seen of a pod whose resolv.conf still names a tailscaled that is gone."""
    failed = dict.fromkeys(one.name for one in (replica.inside.look_ups if replica.inside else ()) if not one.works)
    seen = f"; {', '.join(failed)} cannot be looked up" if failed else ""
    return f"resolv.conf names {QUAD100}, and no tailscaled answers, after {restarted(replica)}{seen}."


def told_by_log(defect: Defect) -> Callable[[Snapshot, Replica], Iterator[Seen]]:
    """The check whether the sidecar's log tells of this defect."""

    def look(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
        told = logs.cause(replica, replica.log) or logs.cause(replica, replica.previous_log)
        if told is not None and told[0] is defect:
            yield Seen(told[1], words(replica))

    return look


for _defect in logs.DEFECTS:
    not_ready_because(_defect)(told_by_log(_defect))


LAST_BEFORE_API_SERVER = "and setting POD_NAME, POD_UID env vars for the Pod."
"""The end of containerboot's notice that it writes no Events (tailscale.com@v1.104.5 kube/kubeclient/client.go). All that it
does before it says something else is to ask the API server, and it waits for an answer as long as Linux does: two minutes."""
SILENCE = timedelta(seconds=15)
"""How long an API server that answers is not waited for."""


@not_ready_because(logs.API_SERVER_UNREACHABLE)
def waits_for_the_api_server(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    running = (replica.sidecar_status.get("state") or {}).get("running") or {}
    started = running.get("startedAt")
    if started and replica.log.rstrip().endswith(LAST_BEFORE_API_SERVER):
        silent = snapshot.now - datetime.fromisoformat(started)
        if silent > SILENCE:
            yield Seen(f"The sidecar waits for an answer of the API server since {silent.seconds} s.", words(replica))


OUT_OF_MEMORY = Defect(
    name="sidecar-out-of-memory",
    severity=Severity.ERROR,
    why="tailscaled was killed for using more memory than its limit. It needs about 60 MiB, and more with many peers.",
    do="Raise the memory limit of container {container}, or remove it.",
    source=f"{UPSTREAM}/18774",
)


@not_ready_because(OUT_OF_MEMORY)
def out_of_memory(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    if replica.last_termination is not None and replica.last_termination.reason == KILLED_BY_MEMORY:
        yield Seen(how_it_ended(replica, snapshot.now), words(replica))


NOT_READY = Defect(
    name="replica-not-ready",
    severity=Severity.ERROR,
    why="Something in the pod does not come up, and neither its status nor its log names a cause that is known here.",
    do="kubectl describe pod {pod} --namespace {namespace}; kubectl logs {pod} --namespace {namespace} --container {container}",
    source="docs/operations.md#if-something-is-wrong",
)


@not_ready_because(NOT_READY)
def not_ready(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    yield Seen(symptoms(snapshot, replica), words(replica))


def symptoms(snapshot: Snapshot, replica: Replica) -> str:
    """What can be said of a pod in trouble whose cause is not known: what it waits for, the last event, the log's end."""
    events = snapshot.events_of("Pod", replica.name, replica.workload.namespace)
    if replica.waiting is not None:
        container, reason, message = replica.waiting
        what = f"{container}: {reason}{f', {quoted(message)}' if message else ''}."
    elif events:
        what = quoted(str(events[-1].get("message", "")))
    else:
        what = " ".join([f"The pod is {replica.phase}.", *standstill(replica)])
    lines = (replica.log or replica.previous_log).strip().splitlines()
    return f"{what} Its log ends: {quoted(lines[-1])}" if lines else what


def standstill(replica: Replica) -> Iterator[str]:
    """What a pod waits for that says nothing itself: what it has come to, or what that may be."""
    init = {str(status["name"]): status for status in replica.status.get("initContainerStatuses") or ()}
    goes_on = {str(c.get("name")) for c in replica.init_containers if c.get("restartPolicy") == "Always"}
    running = [name for name, status in init.items() if "running" in (status.get("state") or {})]
    unstarted = [name for name in running if name in goes_on and not init[name].get("started", True)]
    ending = [name for name in running if name not in goes_on]
    unready = [s["name"] for s in replica.status.get("containerStatuses") or () if not s.get("ready", True)]
    if not replica.node:
        yield "No node was chosen yet: the scheduler may be down, or schedulerName names another."
    elif unstarted:
        yield f"The start-up probe of {unstarted[0]} does not succeed yet."
    elif ending:
        yield f"Init container {ending[0]} has not ended yet."
    elif not replica.container_statuses:
        yield f"Node {replica.node} has not started it: its kubelet may be down, or waits for a volume, an image or the CNI."
    elif replica.status.get("phase") == "Running" and unready:
        yield f"Not ready: {', '.join(unready)}; a readiness probe may fail, or a container may have ended."


# -- pods that are ready -----------------------------------------------------------------------


@check_replica(logs.STUCK_AFTER_CRASH)
def stuck_between_crashes(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    """Pods that look ready between the crashes of a sidecar that never recovers."""
    if replica.is_ready and not replica.is_ending and replica.restarts:
        told = logs.cause(replica, replica.previous_log)
        if replica.is_stuck:
            yield Seen(what_is_stuck(replica), words(replica))
        elif told is not None and told[0] is logs.STUCK_AFTER_CRASH and not is_connected(replica):
            yield Seen(told[1], words(replica))


def is_connected(replica: Replica) -> bool:
    """Whether tailscaled was seen to be connected."""
    return replica.inside is not None and replica.inside.is_connected


@check_replica(OUT_OF_MEMORY)
def restarted_for_memory(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    return recent_restart(snapshot, replica, for_memory=True)


RESTARTED = Defect(
    name="sidecar-restarted",
    severity=Severity.WARNING,
    why="Each restart takes the replica off the tailnet for some seconds.",
    do="kubectl logs {pod} --namespace {namespace} --container {container} --previous shows what came before.",
    source="docs/operations.md#if-something-is-wrong",
)


@check_replica(RESTARTED)
def restarted_of_late(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    return recent_restart(snapshot, replica, for_memory=False)


def recent_restart(snapshot: Snapshot, replica: Replica, *, for_memory: bool) -> Iterator[Seen]:
    """A sidecar that restarted of late, and is back."""
    ended = replica.last_termination
    if ended is None or not replica.is_ready or replica.is_stuck or snapshot.now - ended.at > RECENT:
        return
    if (ended.reason == KILLED_BY_MEMORY) == for_memory:
        told = logs.cause(replica, replica.previous_log)
        said = f" Its log: {told[1]}" if told else ""
        yield Seen(how_it_ended(replica, snapshot.now) + said, words(replica))


def how_it_ended(replica: Replica, now: datetime) -> str:
    """How often the sidecar restarted, and how it ended last."""
    ended = replica.last_termination
    if ended is None:
        return f"{restarted(replica)} of the sidecar."
    how = f"{ended.reason or 'ended'}, exit code {ended.exit_code}"
    return f"{restarted(replica)} of the sidecar, the last {ago(ended.at, now)} ({how})."


NO_STATE = Defect(
    name="state-missing",
    severity=Severity.ERROR,
    why="The pod runs, but its identity is not saved: its next start registers a new device.",
    do="Look at the ServiceAccount's permission on Secret {secret}, and at what else writes to it.",
    source=f"{GUIDE}#step-1-persist-state-to-avoid-re-registrations",
)


@check_replica(NO_STATE)
def no_state(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    secret = replica.state_secret
    known = snapshot.secrets_known(replica.workload.namespace)
    if known and secret and replica.is_ready and not (replica.state and replica.state.has_identity):
        yield Seen(f"Secret {secret} {'holds no identity' if replica.state else 'does not exist'}.", words(replica))


MIXED_RELEASES = Defect(
    name="releases-differ",
    severity=Severity.NOTE,
    why="Replicas run different releases of Tailscale: a roll-out is under way or stuck, or the tag moved.",
    do="kubectl rollout status {kind}/{workload} --namespace {namespace}",
    source="https://github.com/hollie/tailscale-caddy-proxy/issues/5",
)


@check_workload(MIXED_RELEASES)
def mixed_releases(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    images = {replica.sidecar_status.get("imageID") for replica in snapshot.of(workload)} - {None, ""}
    if len(images) > 1 and workload.runs_on:
        yield Seen(f"{len(images)} different images of Tailscale run.", words_of_workload(workload))
