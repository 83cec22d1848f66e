"""The user's PodSpec: what the component refuses to put a sidecar beside, each with the way out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import PodSpecArgs

from ._additions import Json
from ._camel_case import to_camel_case

OWN_CONTAINERS = ("tailscale", "tailscale-init", "tailscale-dns")
OWN_VOLUMES = (
    "tailscale-auth",
    "tailscale-id-token",
    "tailscale-run",
    "tailscale-state",
    "tailscale-tmp",
    "tailscale-token",
)
SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
QUAD100 = "100.100.100.100"


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
        for index, port in enumerate(_list(container.get("ports"))):
            number = port.get("containerPort") if isinstance(port, Mapping) else None
            if isinstance(number, int) and number in taken:
                raise ValueError(
                    f"{path}.ports[{index}].containerPort {number} is taken by {taken[number]}; change one"
                )


def refuse_mounts(spec: Json, taken: Mapping[str, str]) -> None:
    """Raises ValueError for a volume mount over a path that the sidecar needs; `taken` says by which argument."""
    for path, container in containers(spec):
        for index, mount in enumerate(_list(container.get("volumeMounts"))):
            where = mount.get("mountPath") if isinstance(mount, Mapping) else None
            if isinstance(where, str) and where.rstrip("/") in taken:
                why = taken[where.rstrip("/")]
                raise ValueError(f"{path}.volumeMounts[{index}].mountPath {where} is taken by {why}; remove the mount")


def refuse_probes(spec: Json, ports: Iterable[int]) -> None:
    """Raises ValueError for probes that would restart the app because the tailnet is away for a moment.

    Source: the guide, step 7: such restarts are what turns a short outage into a flood of registrations.
    """
    for path, container in containers(spec):
        for kind in ("livenessProbe", "startupProbe"):
            target = asked_of_the_tailnet(container.get(kind), ports)
            if target:
                raise ValueError(
                    f"{path}.{kind} asks {target}: it would restart the app whenever the tailnet is away for a moment. "
                    "Probe the app itself; use a readinessProbe if traffic should stop meanwhile"
                )


def asked_of_the_tailnet(probe: Any, ports: Iterable[int]) -> str:
    """What a probe asks that is away whenever the tailnet is; nothing if it asks something else.

    `ports` are those of the sidecar's health endpoint.
    """
    if not isinstance(probe, Mapping):
        return ""
    refused = {*ports, *map(str, ports), "metrics"}
    http = probe.get("httpGet")
    if isinstance(http, Mapping) and http.get("path") == "/healthz" and _hashable(http.get("port")) in refused:
        return "the sidecar's /healthz"
    return QUAD100 if QUAD100 in str(probe) else ""


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


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _hashable(value: Any) -> Any:
    return None if isinstance(value, pulumi.Output) else value
