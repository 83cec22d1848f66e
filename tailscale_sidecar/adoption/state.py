"""Where the replicas' identities are, and how they get to where the component looks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..inspection.env_sources import read_sources
from ..inspection.workload import POD_INDEX, POD_NAME, STATE_FILE, Workload, for_pod, workloads
from ..pod.contract import STATE_DIR, STATE_VOLUME, VOLUME_DIR
from ..pod.objects import Json
from . import shell_commands
from .found import KINDS, CannotAdoptError, Found
from .python_source import call
from .sidecar_mounts import state_mount, volumes_of
from .sidecar_settings import exact_hostname
from .translation import Translation, note

DEFAULT_SECRET = "tailscale"
"""containerboot's own, where TS_KUBE_SECRET is not set: of every sidecar of the namespace that does not set it."""


def state(found: Found) -> Translation:
    """The argument `state`, and the commands that move the state where that is needed.

    Raises:
        CannotAdoptError: The identities cannot be kept, or may be somebody else's.
    """
    kind, workload = found.workload.state.kind, found.workload
    if kind == "elsewhere":
        raise CannotAdoptError(
            f"{workload.ref} has its identities in {workload.state.name}, which the component does not use"
        )
    if kind in ("pod", "container", "memory") and workload.kind != "StatefulSet":
        raise CannotAdoptError(
            f"{workload.ref} keeps no identity: each of its pods is a new device. There is nothing to take over; write "
            "a new program, and delete the old one"
        )
    if kind == "secret":
        return in_secrets(found)
    if kind == "volume":
        return on_volume(found)
    return in_pod() if kind == "pod" else nowhere()


def in_secrets(found: Found) -> Translation:
    """`TS_KUBE_SECRET`: the component has `$(POD_NAME)`, as in the guide."""
    workload, pattern = found.workload, found.workload.state.name
    if pattern == POD_NAME and workload.kind == "StatefulSet":
        if exact_hostname(workload):  # there is no second replica then
            return note(
                f"state: {found.spare} Secrets of replicas that were scaled away are left where they are.",
                when=bool(found.spare),
            )
        count = workload.replicas + found.spare
        return Translation(arguments={"state": call("SecretState", max_replicas=count)} if found.spare else {})
    moves = list(secrets_moved(found))
    refuse_what_others_use(found, [old for old, _ in moves])
    refuse_names_in_use(found, [new for old, new in moves if old != new])
    copies = tuple(shell_commands.copy_secret(workload, old, new) for old, new in moves)
    before = copies if workload.kind == "StatefulSet" else (*shell_commands.stop(workload), *copies)
    return Translation(before=before, makes=tuple(new for _, new in moves)) + note(
        f"state: all replicas share the Secret {pattern}, and so one device. It becomes "
        f"{', '.join(new for _, new in moves)}'s; the others register anew.",
        when=len(moves) < workload.replicas,
    )


def secrets_moved(found: Found) -> Iterator[tuple[str, str]]:
    """The Secrets with the identities, each with the name that it gets."""
    workload, pattern = found.workload, found.workload.state.name
    known = pattern.replace(POD_NAME, "").replace(POD_INDEX, "")
    if "{" in known or "$" in known or not pattern:
        raise CannotAdoptError(
            f"{workload.ref}: the name of its state Secret, {pattern}, is not the same for each new pod of a replica: "
            "its identity does not last, and which is whose is not known. Let TS_KUBE_SECRET be $(POD_NAME), "
            "and POD_NAME, from metadata.name, come before it"
        )
    pods = list(found.pods) if known != pattern else list(found.pods)[:1] or [""]
    if known != pattern and len(pods) != workload.replicas:
        raise CannotAdoptError(
            f"{workload.ref}: its state Secret is called like its pod, which it names at random: "
            f"{len(pods)} such pods are known. Ask the cluster, while one pod runs"
        )
    for pod, new in zip(pods, workload.pod_names or [f"{workload.name}-0"], strict=False):
        yield for_pod(pattern, pod), new


def refuse_what_others_use(found: Found, secrets: Sequence[str]) -> None:
    """Raises CannotAdoptError for state Secrets that other workloads use too, or may."""
    workload = found.workload
    if DEFAULT_SECRET in secrets and "TS_KUBE_SECRET" not in workload.env and found.is_file:
        raise CannotAdoptError(
            f"{workload.ref} does not set TS_KUBE_SECRET: its identity is in the Secret {DEFAULT_SECRET}"
            + (", and not in TS_STATE_DIR" if workload.env.get("TS_STATE_DIR") else "")
            + ", as is that of every sidecar of the namespace that does not set it. Whose it is, a manifest does not "
            "tell: ask the cluster, or set TS_KUBE_SECRET in the manifest if the Secret is this one's alone"
        )
    for other in others(found):
        shared = sorted(set(secrets) & state_secrets(other, found))
        if shared:
            raise CannotAdoptError(
                f"{workload.ref} has its identity in the Secret {shared[0]}, which {other.ref} uses too: to take it over "
                "would take it away from that. Give each a Secret of its own first (TS_KUBE_SECRET)"
            )


def refuse_names_in_use(found: Found, secrets: Sequence[str]) -> None:
    """Raises CannotAdoptError for Secrets that are to be made, and that are there already."""
    taken = next((name for name in secrets if found.find("Secret", name) is not None), None)
    if taken:
        raise CannotAdoptError(
            f"Secret {found.workload.namespace}/{taken} is there already, and is not where {found.workload.ref} has its "
            "identity. The component's replica has that name for its own: rename or delete it"
        )


def others(found: Found) -> Iterator[Workload]:
    """Other workloads of the namespace that run Tailscale."""
    workload = found.workload
    for kind in KINDS:
        for other in workloads(({**one, "kind": kind} for one in found.listed(kind)), (kind,)):
            labels = other.manifest["metadata"].get("labels") or {}
            is_own = kind == "Pod" and workload.selector and workload.selector.items() <= labels.items()
            if (other.kind, other.name) != (workload.kind, workload.name) and not is_own:
                yield other


def state_secrets(workload: Workload, found: Found) -> set[str]:
    """The state Secrets that a workload may use; what it does not tell is taken for containerboot's default."""
    sidecar, _ = read_sources(workload.sidecar, found.find)
    spec = {**workload.pod_spec, "initContainers": [], "containers": [sidecar]}
    read = Workload({**workload.manifest, "kind": "Pod", "spec": spec})
    if read.start is None or read.state.kind != "secret":
        return {DEFAULT_SECRET} if read.start is None else set()
    return {for_pod(read.state.name, pod) for pod in workload.pod_names or [workload.name]}


def on_volume(found: Found) -> Translation:
    """State in a file on a volume: a claim of each replica's that is called like the component's stays."""
    workload = found.workload
    mount = state_mount(workload) or {}
    claim = next((c for c in claims(workload) if name_of(c) == mount.get("name") == STATE_VOLUME), None)
    if claim is None or {"subPath", "subPathExpr"} & mount.keys():
        return into_secrets(found)
    spec = claim.get("spec") or {}
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        raise CannotAdoptError(f"{workload.ref}: its volume claim template {STATE_VOLUME} asks for no storage")
    arguments: dict[str, Any] = {"size": str(size)}
    if spec.get("storageClassName"):
        arguments["storage_class"] = spec["storageClassName"]
    root = mount["mountPath"].rstrip("/")
    folder = f"{root}{STATE_DIR.removeprefix(VOLUME_DIR)}"
    moves = [
        shell_commands.copy_file(workload, pod, file, folder)
        for pod in workload.pod_names
        if (file := state_file(workload, pod)) != f"{folder}/{STATE_FILE}"
    ]
    return Translation(arguments={"state": call("PersistentVolumeState", **arguments)}, before=tuple(moves))


def state_file(workload: Workload, pod: str) -> str:
    """Where a pod's tailscaled keeps it."""
    file = for_pod(workload.state.file, pod)
    if "{" in file or "$" in file:
        raise CannotAdoptError(f"{workload.ref}: where its identity is, {file}, only the pod knows")
    return file


def into_secrets(found: Found) -> Translation:
    """From a volume that the component would not mount to Secrets."""
    workload = found.workload
    if workload.kind == "StatefulSet":
        places = [(pod, pod) for pod in workload.pod_names]
    else:
        pod = workload.name if workload.kind == "Pod" else f"deployment/{workload.name}"
        places = [(pod, f"{workload.name}-0")]
    refuse_names_in_use(found, [new for _, new in places])
    copies = tuple(shell_commands.file_to_secret(workload, pod, state_file(workload, pod), new) for pod, new in places)
    after = () if workload.kind == "StatefulSet" else tuple(shell_commands.stop(workload))
    return Translation(before=(*copies, *after), makes=tuple(new for _, new in places)) + note(
        "state: it moves from a volume to Secrets. PersistentVolumeState() needs claims of the StatefulSet's own that "
        f"are called {STATE_VOLUME}."
    )


def in_pod() -> Translation:
    """State on an emptyDir."""
    return Translation(arguments={"state": call("EmptyDirState")}) + note(
        "state: each new pod is a new device, as before, and so all are after the roll-out. SecretState() lasts."
    )


def nowhere() -> Translation:
    """No state, or one that a restart of the container loses."""
    return note(
        "state: until now each restart was a new device, for it is not kept. From now on it is kept in Secrets: the "
        "roll-out registers each replica once more, and that device lasts."
    )


def claims(workload: Workload) -> Sequence[Json]:
    """The StatefulSet's volume claim templates."""
    found: Sequence[Json] = workload.manifest["spec"].get("volumeClaimTemplates") or ()
    return found


def own_claims(workload: Workload) -> Sequence[Json]:
    """Those that are not for the state."""
    mount = state_mount(workload) or {}
    apps = volumes_of(container for container in workload.all_containers if container is not workload.sidecar)
    return [claim for claim in claims(workload) if name_of(claim) != mount.get("name") or name_of(claim) in apps]


def name_of(found: Json) -> str:
    """The name of an object."""
    return str((found.get("metadata") or {}).get("name", ""))
