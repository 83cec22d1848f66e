"""The user's PodSpec: what the component refuses to put a sidecar beside, each with the way out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import PodSpecArgs

from .camel_case import to_camel_case
from .contract import MAGIC_DNS, OWN_CONTAINERS, OWN_VOLUMES
from .objects import Json


def normalised(value: Any) -> Json:
    """The PodSpec in Kubernetes' own form. Raises ValueError for what no sidecar can be added to."""
    if isinstance(value, pulumi.Output):
        raise ValueError("an Output as a whole cannot be checked; give a dict or PodSpecArgs, with Outputs inside")
    spec: Json = to_camel_case(value, PodSpecArgs, "pod_spec")
    if not spec.get("containers"):
        raise ValueError("pod_spec.containers is empty: give the app's container")
    for field in ("containers", "initContainers", "volumes"):
        if isinstance(spec.get(field), pulumi.Output):
            raise ValueError(f"pod_spec.{field} is an Output; give a list, with Outputs inside")
        for index, item in enumerate(spec.get(field, ())):
            if isinstance(item, pulumi.Output):
                raise ValueError(f"pod_spec.{field}[{index}] is an Output; give a dict, with Outputs inside")
    for path, container in containers(spec):
        if isinstance(container.get("volumeMounts"), pulumi.Output):
            raise ValueError(f"{path}.volumeMounts is an Output; give a list, with Outputs inside")
    _refuse_pod_fields(spec)
    _refuse_names(spec)
    return spec


def containers(spec: Json) -> Iterator[tuple[str, Json]]:
    """The user's containers, init containers too, each with its path."""
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field, ())):
            yield f"pod_spec.{field}[{index}]", container


def refuse_ports(spec: Json, taken: Mapping[int, str]) -> None:
    """Raises ValueError for a container port that the sidecar listens on; `taken` says by which argument."""
    for path, container in containers(spec):
        for index, port in _known(container.get("ports")):
            number = port.get("containerPort")
            if isinstance(number, int) and number in taken:
                raise ValueError(
                    f"{path}.ports[{index}].containerPort {number} is taken by {taken[number]}; change one"
                )


def refuse_mounts(spec: Json, taken: Mapping[str, str]) -> None:
    """Raises ValueError for a volume mount over a path that the sidecar needs; `taken` says by which argument."""
    for path, container in containers(spec):
        for index, mount in _known(container.get("volumeMounts")):
            where = mount.get("mountPath")
            if isinstance(where, str) and where.rstrip("/") in taken:
                why = taken[where.rstrip("/")]
                raise ValueError(f"{path}.volumeMounts[{index}].mountPath {where} is taken by {why}; remove the mount")


def refuse_sidecar_mounts(mounts: Sequence[Any], own: Collection[str], volumes: Collection[Any]) -> None:
    """Raises ValueError for a volume mount of the user in the sidecar that is over an `own` one, or of no volume."""
    for index, mount in _known(list(mounts)):
        where, volume = mount.get("mountPath"), mount.get("name")
        if isinstance(where, str) and where.rstrip("/") in own:
            raise ValueError(
                f"sidecar_volume_mounts[{index}].mountPath {where} is the sidecar's own; mount it elsewhere"
            )
        if isinstance(volume, str) and volume not in volumes and all(isinstance(name, str) for name in volumes):
            raise ValueError(f"sidecar_volume_mounts[{index}].name {volume} is no volume; add it to pod_spec.volumes")


def refuse_probes(spec: Json, ports: Collection[int]) -> None:
    """Raises ValueError for probes that would restart the app because the tailnet is away for a moment.

    Source: the guide, step 7: such restarts are what turns a short outage into a flood of registrations.
    """
    for path, container in containers(spec):
        for kind in ("livenessProbe", "startupProbe"):
            target = asked_of_the_tailnet(container, kind, ports)
            if target:
                raise ValueError(
                    f"{path}.{kind} asks {target}: it would restart the app whenever the tailnet is away for a moment. "
                    "Probe the app itself; use a readinessProbe if traffic should stop meanwhile"
                )


def asked_of_the_tailnet(container: Json, kind: str, ports: Collection[int]) -> str:
    """What a container's probe asks that is away whenever the tailnet is; nothing if it asks something else.

    `ports` are those of the sidecar's health endpoint. To the kubelet, a port's name is one of the same container.
    """
    probe = container.get(kind)
    if not isinstance(probe, Mapping):
        return ""
    named = {"metrics": next(iter(ports), None)}
    named |= {_hashable(port.get("name")): port.get("containerPort") for _, port in _known(container.get("ports"))}
    http = probe.get("httpGet")
    if isinstance(http, Mapping) and http.get("path") == "/healthz":
        port = _hashable(http.get("port"))
        if str(named.get(port, port)) in map(str, ports):
            return "the sidecar's /healthz"
    text = str(probe)
    if any(f":{port}/healthz" in text for port in ports):
        return "the sidecar's /healthz"
    return next((resolver for resolver in MAGIC_DNS if resolver in text), "")


def _refuse_pod_fields(spec: Json) -> None:
    instead = {
        "hostNetwork": "a replica's own tailnet device needs the pod's own network; remove it",
        "serviceAccountName": "use the argument service_account_name",
        "serviceAccount": "use the argument service_account_name",
        "automountServiceAccountToken": "use the argument mount_token_in_app",
        "activeDeadlineSeconds": "Kubernetes allows it in Jobs, and not in a StatefulSet; remove it",
        "ephemeralContainers": "they are added to pods that run, by kubectl debug; remove it",
    }
    for field, advice in instead.items():
        if field in spec and spec[field] is not False:
            raise ValueError(f"pod_spec.{field} cannot be set: {advice}")
    if spec.get("restartPolicy", "Always") != "Always":
        raise ValueError("pod_spec.restartPolicy must be Always, as in every StatefulSet; remove it")
    system = spec.get("os")
    if isinstance(system, Mapping) and system.get("name") == "windows":
        raise ValueError("pod_spec.os.name windows cannot be set: the sidecar needs Linux; remove it")


def _refuse_names(spec: Json) -> None:
    for path, container in containers(spec):
        if _hashable(container.get("name")) in OWN_CONTAINERS:
            raise ValueError(f"{path}.name {container['name']} is the sidecar's own; rename the container")
    for index, volume in enumerate(spec.get("volumes", ())):
        if _hashable(volume.get("name")) in OWN_VOLUMES:
            raise ValueError(f"pod_spec.volumes[{index}].name {volume['name']} is the sidecar's own; rename the volume")


def _known(value: Any) -> Iterator[tuple[int, Mapping[Any, Any]]]:
    """The items of a list that can be looked into, each with its index: neither it nor they are Outputs."""
    return (
        ((index, item) for index, item in enumerate(value) if isinstance(item, Mapping))
        if isinstance(value, list)
        else iter(())
    )


def _hashable(value: Any) -> Any:
    return None if isinstance(value, pulumi.Output) else value
