"""The user's PodSpec: what the component refuses to put a sidecar beside, each with the way out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import PodSpecArgs

from .camel_case import to_camel_case
from .contract import OWN_CONTAINERS, OWN_VOLUMES
from .objects import Json, known_items, plain_value
from .probes import asked_of_the_tailnet
from .quantities import amount

PATH = "pod_spec"
"""How errors name the spec that is an argument; that of another's workload they name by its place there."""


def normalised(value: Any) -> Json:
    """The PodSpec in Kubernetes' own form. Raises ValueError for what no sidecar can be added to."""
    if isinstance(value, pulumi.Output):
        raise ValueError("an Output as a whole cannot be checked; give a dict or PodSpecArgs, with Outputs inside")
    spec: Json = to_camel_case(value, PodSpecArgs, PATH)
    spec = {**spec, "containers": spec.get("containers", [])}
    for field in ("containers", "initContainers", "volumes"):
        if isinstance(spec.get(field), pulumi.Output):
            raise ValueError(f"pod_spec.{field} is an Output; give a list, with Outputs inside")
        for index, item in enumerate(spec.get(field, ())):
            if isinstance(item, pulumi.Output):
                raise ValueError(f"pod_spec.{field}[{index}] is an Output; give a dict, with Outputs inside")
    for path, container in containers(spec):
        if isinstance(container.get("volumeMounts"), pulumi.Output):
            raise ValueError(f"{path}.volumeMounts is an Output; give a list, with Outputs inside")
    _refuse_arguments(spec)
    refuse_fields(spec)
    return spec


def is_empty(value: Any) -> bool:
    """Whether a PodSpec, as users write it, surely has no containers: the pod is then Tailscale's alone."""
    listed = value.get("containers") if isinstance(value, Mapping) else getattr(value, "containers", None)
    return listed is None or (isinstance(listed, Sequence) and not listed)


def refuse_fields(spec: Json, path: str = PATH) -> None:
    """Raises ValueError for what no sidecar can be added to, or is the sidecar's own name."""
    refuse(spec, UNFIT, path)
    system = spec.get("os")
    if isinstance(system, Mapping) and system.get("name") == "windows":
        raise ValueError(f"{path}.os.name windows cannot be set: the sidecar needs Linux; remove it")
    _refuse_names(spec, path)
    _refuse_quantities(spec, path)


def containers(spec: Json, path: str = PATH) -> Iterator[tuple[str, Json]]:
    """The user's containers, init containers too, each with its path."""
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field, ())):
            yield f"{path}.{field}[{index}]", container


def refuse_ports(spec: Json, taken: Mapping[int, str], path: str = PATH) -> None:
    """Raises ValueError for a container port that the sidecar listens on; `taken` says by which argument."""
    for where, container in containers(spec, path):
        for index, port in known_items(container.get("ports")):
            number = port.get("containerPort")
            if isinstance(number, int) and number in taken:
                raise ValueError(
                    f"{where}.ports[{index}].containerPort {number} is taken by {taken[number]}; change one"
                )


def refuse_mounts(spec: Json, taken: Mapping[str, str], path: str = PATH) -> None:
    """Raises ValueError for a volume mount over a path that the sidecar needs; `taken` says by which argument."""
    for where, container in containers(spec, path):
        for index, mount in known_items(container.get("volumeMounts")):
            mounted = mount.get("mountPath")
            if isinstance(mounted, str) and mounted.rstrip("/") in taken:
                why = taken[mounted.rstrip("/")]
                raise ValueError(
                    f"{where}.volumeMounts[{index}].mountPath {mounted} is taken by {why}; remove the mount"
                )


def refuse_sidecar_mounts(
    mounts: Sequence[Any], own: Collection[str], volumes: Collection[Any], path: str = PATH
) -> None:
    """Raises ValueError for a volume mount of the user in the sidecar that is over an `own` one, or of no volume."""
    for index, mount in known_items(list(mounts)):
        where, volume = mount.get("mountPath"), mount.get("name")
        if isinstance(where, str) and where.rstrip("/") in own:
            raise ValueError(
                f"sidecar_volume_mounts[{index}].mountPath {where} is the sidecar's own; mount it elsewhere"
            )
        if isinstance(volume, str) and volume not in volumes and all(isinstance(name, str) for name in volumes):
            raise ValueError(f"sidecar_volume_mounts[{index}].name {volume} is no volume; add it to {path}.volumes")


def refuse_probes(spec: Json, ports: Collection[int], path: str = PATH) -> None:
    """Raises ValueError for probes that would restart the app because the tailnet is away for a moment.

    Source: the guide, step 7: such restarts are what turns a short outage into a flood of registrations.
    """
    for where, container in containers(spec, path):
        for kind in ("livenessProbe", "startupProbe"):
            target = asked_of_the_tailnet(container, kind, ports)
            if target:
                raise ValueError(
                    f"{where}.{kind} asks {target}: it would restart the app whenever the tailnet is away for a moment. "
                    "Probe the app itself; use a readinessProbe if traffic should stop meanwhile"
                )


UNFIT = {
    "hostNetwork": "a replica's own tailnet device needs the pod's own network; remove it",
    "ephemeralContainers": "they are added to pods that run, by kubectl debug; remove it",
}
ARGUMENTS = {
    "serviceAccountName": "use the argument service_account_name",
    "serviceAccount": "use the argument service_account_name",
    "automountServiceAccountToken": "use the argument mount_token_in_app",
    "activeDeadlineSeconds": "Kubernetes allows it in Jobs, and not in a StatefulSet; remove it",
}


def refuse(spec: Json, instead: Mapping[str, str], path: str) -> None:
    """Raises ValueError for fields that are set, with what to do instead."""
    for field, advice in instead.items():
        if field in spec and spec[field] is not False:
            raise ValueError(f"{path}.{field} cannot be set: {advice}")


def _refuse_arguments(spec: Json) -> None:
    refuse(spec, ARGUMENTS, PATH)
    if spec.get("restartPolicy", "Always") != "Always":
        raise ValueError("pod_spec.restartPolicy must be Always, as in every StatefulSet; remove it")


def _refuse_quantities(spec: Json, path: str) -> None:
    """The pod's own resources are added up with the sidecar's, so they must be quantities."""
    resources = spec.get("resources")
    if not isinstance(resources, Mapping):
        return
    for kind in ("requests", "limits"):
        quantities = resources.get(kind)
        for name, quantity in quantities.items() if isinstance(quantities, Mapping) else ():
            if not isinstance(quantity, pulumi.Output):
                try:
                    amount(quantity)
                except ValueError as error:
                    raise ValueError(f"{path}.resources.{kind}.{name} {error}") from None


def _refuse_names(spec: Json, path: str) -> None:
    for where, container in containers(spec, path):
        if plain_value(container.get("name")) in OWN_CONTAINERS:
            raise ValueError(f"{where}.name {container['name']} is the sidecar's own; rename the container")
    for index, volume in enumerate(spec.get("volumes", ())):
        if plain_value(volume.get("name")) in OWN_VOLUMES:
            raise ValueError(f"{path}.volumes[{index}].name {volume['name']} is the sidecar's own; rename the volume")
