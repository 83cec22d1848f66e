"""Where the replicas' identities are, and how they get to where the component looks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..inspection.workload import POD_INDEX, POD_NAME, Workload, for_pod
from ..pod.contract import STATE_DIR, STATE_VOLUME, VOLUME_DIR
from ..pod.objects import Json
from . import shell_commands
from .python_source import call
from .sidecar_mounts import state_mount
from .translation import Translation, note

STATE_FILE = "tailscaled.state"
"""In TS_STATE_DIR (tailscale.com@v1.102.5 cmd/tailscaled/tailscaled.go). It is a JSON object of the same keys and
base64 values as the data of a state Secret (ipn/store/stores.go, ipn/store/kubestore)."""


def state(workload: Workload, spare: int) -> Translation:
    """The argument `state`, and the commands that move the state where that is needed.

    `spare` is the number of state Secrets beyond the replicas.
    """
    if workload.state.kind == "secret":
        return in_secrets(workload, spare)
    kinds = {"volume": on_volume, "pod": in_pod, "container": nowhere, "memory": nowhere}
    return kinds[workload.state.kind](workload)


def in_secrets(workload: Workload, spare: int) -> Translation:
    """`TS_KUBE_SECRET`: the component has `$(POD_NAME)`, as in the guide."""
    pattern = workload.state.name
    if pattern == POD_NAME and spare:
        return Translation(arguments={"state": call("SecretState", max_replicas=workload.replicas + spare)})
    if pattern == POD_NAME:
        return Translation()
    own = POD_NAME in pattern or POD_INDEX in pattern
    pods = workload.pod_names if own else workload.pod_names[:1]
    copies = [shell_commands.copy_secret(workload, for_pod(pattern, pod), pod) for pod in pods]
    return Translation(before=tuple(copies), makes=tuple(pods)) + note(
        f"state: all replicas share the Secret {pattern}, and so one device. It becomes {workload.name}-0's; the others "
        "register anew.",
        when=len(pods) < workload.replicas,
    )


def on_volume(workload: Workload) -> Translation:
    """`TS_STATE_DIR` on a volume: a claim of each replica's that is called like the component's stays."""
    mount = state_mount(workload) or {}
    claim = next((c for c in claims(workload) if c["metadata"]["name"] == mount.get("name") == STATE_VOLUME), None)
    if claim is None or "subPath" in mount:
        return into_secrets(workload)
    spec = claim["spec"]
    arguments: dict[str, Any] = {"size": spec["resources"]["requests"]["storage"]}
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
    return f"{for_pod(workload.env['TS_STATE_DIR'], pod).rstrip('/')}/{STATE_FILE}"


def into_secrets(workload: Workload) -> Translation:
    """From a volume that the component would not mount to Secrets."""
    moves = [shell_commands.file_to_secret(workload, pod, state_file(workload, pod)) for pod in workload.pod_names]
    return Translation(before=tuple(moves), makes=tuple(workload.pod_names)) + note(
        "state: it moves from a volume to Secrets. PersistentVolumeState() needs claims of the StatefulSet's own that "
        f"are called {STATE_VOLUME}."
    )


def in_pod(workload: Workload) -> Translation:
    """`TS_STATE_DIR` on an emptyDir."""
    del workload
    return Translation(arguments={"state": call("EmptyDirState")}) + note(
        "state: each new pod is a new device, as before, and so all are after the roll-out. SecretState() lasts."
    )


def nowhere(workload: Workload) -> Translation:
    """No state, or one that a restart of the container loses."""
    del workload
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
    return [claim for claim in claims(workload) if claim["metadata"]["name"] != mount.get("name")]
