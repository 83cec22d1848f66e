"""Removes the device of a replica that has gone from its tailnet. Knows the cluster and the API, and nothing of Pulumi."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..clients.errors import ClusterError, TailscaleApiError
from ..clients.kubernetes import Cluster
from ..clients.tailscale import TailscaleApi
from ..pod.contract import SIDECAR
from ..pod.objects import Json
from .state_secret import StateSecret, public_keys

POD_END_SECONDS = 600
"""How long a pod may take to end: as long as Pulumi waits for the deletion of a StatefulSet. As a rule it has ended."""
POLL_SECONDS = 1


class RemovalError(Exception):
    """The device is still there; the message says why, and how to go on."""


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One replica of a StatefulSet of this library's."""

    namespace: str
    stateful_set: str
    ordinal: int
    anchor: tuple[str, str]
    """Kind and name of an object that Pulumi made beside it, such as the StatefulSet's Service."""
    anchor_uid: str
    """Its UID, by which its cluster is told from others with a namespace of the same name."""
    secret_is_ours: bool
    """Whether the state Secret was made beforehand, so that it must be there; else the replica's first start makes it."""

    @property
    def pod(self) -> str:
        """Name of the pod, and of the state Secret."""
        return f"{self.stateful_set}-{self.ordinal}"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}"


def remove_device(
    replica: Replica, cluster: Cluster, api: TailscaleApi, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Deletes the device whose keys are in the replica's state Secret, once the replica's pod has ended.

    A replica that its StatefulSet still asks for, with a sidecar, keeps its device: then not the replica goes, but its
    clean-up.

    Raises:
        RemovalError: The device could not be told for sure, or not be deleted.
    """
    try:
        _check_cluster(replica, cluster)
        if _is_wanted(replica, cluster):
            return
        _await_end(replica, cluster, sleep)
        secret = _state_secret(replica, cluster)
    except ClusterError as error:
        raise RemovalError(f"the device of {replica}: {error}") from error
    if secret is not None:
        _delete_device(replica, secret, api)


def _check_cluster(replica: Replica, cluster: Cluster) -> None:
    kind, name = replica.anchor
    found = cluster.find(kind, name)
    if found is None or found["metadata"]["uid"] != replica.anchor_uid:
        raise RemovalError(
            f"the device of {replica}: its {kind} {name} is "
            f"{'not there' if found is None else 'not the one that Pulumi made'}; the kubeconfig leads to another cluster, "
            f"or the {kind} was deleted (`pulumi up --refresh` makes it anew)"
        )


def _is_wanted(replica: Replica, cluster: Cluster) -> bool:
    stateful_set = cluster.find("StatefulSet", replica.stateful_set)
    if stateful_set is None or stateful_set["metadata"].get("deletionTimestamp"):
        return False
    if not _has_sidecar(stateful_set["spec"]["template"]):  # it is somebody else's, and went out of it
        return False
    first = int((stateful_set["spec"].get("ordinals") or {}).get("start", 0))
    return first <= replica.ordinal < first + int(stateful_set["spec"]["replicas"])


def _await_end(replica: Replica, cluster: Cluster, sleep: Callable[[float], None]) -> None:
    end = time.monotonic() + POD_END_SECONDS
    while (pod := cluster.find("Pod", replica.pod)) is not None and _has_sidecar(pod):
        if time.monotonic() > end:
            raise RemovalError(f"the device of {replica}: its pod has not ended in {POD_END_SECONDS} seconds")
        sleep(POLL_SECONDS)


def _has_sidecar(pod: Json) -> bool:
    """Whether a pod, or a template of pods, has one."""
    containers = (container for field in ("initContainers", "containers") for container in pod["spec"].get(field) or ())
    return any(container["name"] == SIDECAR for container in containers)


def _state_secret(replica: Replica, cluster: Cluster) -> Json | None:
    """The replica's state Secret; None if it never had one."""
    secret = cluster.find("Secret", replica.pod)
    if secret is None and replica.secret_is_ours:
        raise RemovalError(
            f"the device of {replica}: its state Secret is not there, and nothing else says for sure which device it was; "
            "delete it in the admin console"
        )
    return secret


def _delete_device(replica: Replica, secret: Json, api: TailscaleApi) -> None:
    recorded = StateSecret.of(secret).device_id
    try:
        keys = public_keys(secret)
        device = _device(recorded, keys, api)
        if device is not None and not _has(device, keys):
            raise RemovalError(
                f"device {recorded}, which Secret {replica} names, has other keys than those in the Secret; if it "
                "is the replica's, delete it in the admin console"
            )
        if device is not None:
            api.delete(device["nodeId"])
    except TailscaleApiError as error:
        raise RemovalError(f"device {recorded or 'without a recorded ID'} of {replica}: {error}") from error
    except ValueError as error:  # says where, but not what
        raise RemovalError(f"the device of {replica}: its Secret is not as tailscaled writes it: {error}") from None


def _device(recorded: str, keys: Collection[str], api: TailscaleApi) -> Json | None:
    """The device as the API has it, or None: by the ID that containerboot `recorded`, else by tailscaled's keys.

    The ID alone does not do: sidecars can write each other's Secrets, but the keys in them prove whose they are.
    """
    if not recorded and not keys:
        return None  # it has never started
    named = api.device(recorded) if recorded else None
    return named or next((device for device in api.devices() if _has(device, keys)), None)


def _has(device: Json, keys: Collection[str]) -> bool:
    """Whether a device of the API's is the one with these keys."""
    return device.get("nodeKey") in keys or device.get("machineKey") in keys
