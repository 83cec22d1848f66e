"""Checks of where the identity is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ...inspection.unknown_values import UnknownError
from ...inspection.workload import POD_INDEX, POD_NAME, Workload
from ...report.findings import GUIDE, GUIDE_TABLE, UPSTREAM, Defect, Severity
from ..registry import Seen, check_template, check_templates

STATE_NOT_KEPT = Defect(
    name="state-not-kept",
    severity=Severity.ERROR,
    why="Every restart registers a new device. Under load this floods the control plane and meets its rate limits.",
    do="Set TS_KUBE_SECRET to $(POD_NAME), or TS_STATE_DIR to a folder on a persistent volume.",
    source=GUIDE_TABLE,
)


@check_template(STATE_NOT_KEPT)
def state_not_kept(workload: Workload) -> Iterator[Seen]:
    kept = {"memory": "nowhere", "container": "in the container's own file system"}.get(workload.state.kind)
    if kept:
        yield Seen(f"The state is kept {kept}.")


STATE_IN_POD = Defect(
    name="state-in-pod",
    severity=Severity.WARNING,
    why="The state is in an emptyDir: it survives a crash, but every new pod is a new device, and the old one stays.",
    do="Set TS_KUBE_SECRET to $(POD_NAME), or put TS_STATE_DIR on a persistent volume.",
    source=f"{GUIDE}#optional-preserve-container-states",
)


@check_template(STATE_IN_POD)
def state_in_pod(workload: Workload) -> Iterator[Seen]:
    if workload.state.kind == "pod" and "ephemeral=true" not in workload.env.get("CREDENTIAL_ATTRIBUTES", ""):
        yield Seen(f"TS_STATE_DIR {workload.env['TS_STATE_DIR']} is in an emptyDir.")


SHARED_STATE = Defect(
    name="shared-state",
    severity=Severity.ERROR,
    why="Pods with one state are one device: each takes the identity from the other, and neither stays connected.",
    do="Give each pod its own: TS_KUBE_SECRET=$(POD_NAME), or a volume claim template.",
    source=f"{UPSTREAM}/4837",
)


@check_template(SHARED_STATE)
def shared_by_replicas(workload: Workload) -> Iterator[Seen]:
    store = workload.state
    if store.kind == "secret" and not is_own(store.name) and workload.replicas > 1:
        yield Seen(f"All {workload.replicas} replicas use the state Secret {store.name or 'tailscale'}.")


@check_templates(SHARED_STATE)
def shared_by_workloads(workload: Workload, earlier: Sequence[Workload]) -> Iterator[Seen]:
    own = fixed_secret(workload)
    other = next((one for one in earlier if own and fixed_secret(one) == own), None)
    if other is not None:
        yield Seen(f"It and {other.ref} use the state Secret {workload.state.name}.")


def fixed_secret(workload: Workload) -> tuple[str, str] | None:
    """Namespace and name of the state Secret, where it is the same for each pod, as far as it is known."""
    with suppress(UnknownError):
        if workload.state.kind == "secret" and not is_own(workload.state.name):
            return workload.namespace, workload.state.name
    return None


def is_own(name: str) -> bool:
    """Whether a name differs from pod to pod."""
    return POD_NAME in name or POD_INDEX in name


DEPLOYMENT = Defect(
    name="deployment-instead-of-statefulset",
    severity=Severity.ERROR,
    why="A Deployment's pods have no lasting names: each new pod makes a new state Secret and device, and orphans the old ones.",
    do="Use a StatefulSet.",
    source=GUIDE_TABLE,
)


@check_template(DEPLOYMENT)
def deployment(workload: Workload) -> Iterator[Seen]:
    if workload.kind == "Deployment" and workload.state.kind == "secret" and is_own(workload.state.name):
        yield Seen("A Deployment whose pods each keep their state in a Secret of their name.")
