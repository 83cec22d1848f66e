"""Checks of where the identity is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ...inspection.unknown_values import UnknownError
from ...inspection.workload import NODE_NAME, POD_INDEX, POD_NAME, Workload, mount_at
from ...report.findings import CODE, GUIDE, GUIDE_TABLE, UPSTREAM, Defect, Severity
from ..registry import Seen, check_template, check_templates

RUN_ONCE = ("CronJob", "Job")
"""Each run may well be a device of its own. Tailscale removes one whose state is in memory as soon as it ends."""

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
    if kept and workload.kind not in RUN_ONCE:
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
    store, who = workload.state, several(workload)
    if store.kind == "secret" and not is_own(workload, store.name) and who:
        yield Seen(f"{who} use the state Secret {store.name or 'tailscale'}.")
    elif store.kind == "volume" and who and (claim := shared_claim(workload)):
        yield Seen(f"{who} keep the state on the volume claim {claim}.")


def several(workload: Workload) -> str:
    """The pods that run at one time, as the start of a sentence; nothing if there is one."""
    if workload.kind == "DaemonSet":
        return "The pods of all nodes"
    return f"All {workload.replicas} replicas" if workload.replicas > 1 else ""


def shared_claim(workload: Workload) -> str:
    """The claim that the state is on, if all pods have the same; nothing where each has its own."""
    mount = mount_at(workload.sidecar, workload.state.file) or {}
    volumes = (v for v in workload.pod_spec.get("volumes") or () if v.get("name") == mount.get("name"))
    differs = is_own(workload, str(mount.get("subPathExpr") or "").replace("$(POD_NAME)", POD_NAME))
    return (
        "" if differs else next((str((v.get("persistentVolumeClaim") or {}).get("claimName", "")) for v in volumes), "")
    )


@check_templates(SHARED_STATE)
def shared_by_workloads(workload: Workload, earlier: Sequence[Workload]) -> Iterator[Seen]:
    own = fixed_secret(workload)
    other = next((one for one in earlier if own and fixed_secret(one) == own), None)
    if other is not None:
        yield Seen(f"It and {other.ref} use the state Secret {workload.state.name}.")


def fixed_secret(workload: Workload) -> tuple[str, str] | None:
    """Namespace and name of the state Secret, where it is the same for each pod, as far as it is known."""
    with suppress(UnknownError):
        if workload.state.kind == "secret" and not is_own(workload, workload.state.name):
            return workload.namespace, workload.state.name
    return None


def is_own(workload: Workload, name: str) -> bool:
    """Whether a name is another for each of a workload's pods."""
    return POD_NAME in name or POD_INDEX in name or (workload.kind == "DaemonSet" and NODE_NAME in name)


STATE_DIR_UNUSED = Defect(
    name="state-dir-unused",
    severity=Severity.WARNING,
    why=(
        "Without TS_KUBE_SECRET containerboot keeps the identity in the Secret `tailscale` all the same, as every such "
        "workload of the namespace does, and does not start if it may not. The folder stays without it."
    ),
    do="Set TS_KUBE_SECRET to an empty string; or, if the Secret is meant, to $(POD_NAME).",
    source=f"{CODE}/cmd/containerboot/settings.go#L114",
)


@check_template(STATE_DIR_UNUSED)
def state_dir_unused(workload: Workload) -> Iterator[Seen]:
    folder = workload.env.get("TS_STATE_DIR", "")
    by_default = "TS_KUBE_SECRET" not in workload.env and workload.state.kind == "secret"
    if folder and by_default and mount_at(workload.sidecar, folder) is not None:
        yield Seen(f"TS_STATE_DIR {folder} is on a volume, and TS_KUBE_SECRET is not set.")


SHARED_AT_ROLLOUT = Defect(
    name="shared-state-at-rollout",
    severity=Severity.WARNING,
    why="A Deployment starts the new pod while the old one still runs: two pods with one state, and neither stays connected.",
    do="Set the Deployment's strategy to Recreate, or use a StatefulSet.",
    source=f"{UPSTREAM}/4837",
)


@check_template(SHARED_AT_ROLLOUT)
def shared_at_rollout(workload: Workload) -> Iterator[Seen]:
    if workload.kind != "Deployment" or several(workload):
        return
    strategy = workload.manifest["spec"].get("strategy") or {}
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge", 1)
    one_after_the_other = strategy.get("type") == "Recreate" or str(surge) in ("0", "0%")
    store = workload.state
    kept = (store.kind == "secret" and not is_own(workload, store.name)) or (
        store.kind == "volume" and shared_claim(workload)
    )
    if kept and not one_after_the_other:
        yield Seen("Its strategy is RollingUpdate, and the old pod and the new one have one state.")


DEPLOYMENT = Defect(
    name="deployment-instead-of-statefulset",
    severity=Severity.ERROR,
    why="Its pods have no lasting names: each new pod makes a new state Secret and device, and orphans the old ones.",
    do="Use a StatefulSet.",
    source=GUIDE_TABLE,
)


@check_template(DEPLOYMENT)
def deployment(workload: Workload) -> Iterator[Seen]:
    nameless = workload.kind in ("Deployment", "DaemonSet")
    name = workload.state.name
    if nameless and workload.state.kind == "secret" and is_own(workload, name) and NODE_NAME not in name:
        yield Seen(f"A {workload.kind} whose pods each keep their state in a Secret of their name.")
