"""Manifests of others, brought into the shape that checks rely on; what does not fit is named, and left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from .yaml_objects import Located

Shape: TypeAlias = "dict[str, Any] | list[Any] | type"
"""A map by its fields, of which those with a `!` must be there; a list by what its items are; or a type. Other fields of a map
may be anything."""
PROBE: Shape = {
    "exec": {"command": [str]},
    "grpc": {"port": int},
    "httpGet": {"host": str, "path": str, "port": object},
    "tcpSocket": {"host": str, "port": object},
    "initialDelaySeconds": int,
    "periodSeconds": int,
    "failureThreshold": int,
}
CONTAINER: Shape = {
    "name!": str,
    "image": str,
    "restartPolicy": str,
    "command": [str],
    "args": [str],
    "env": [
        {
            "name!": str,
            "value": str,
            "valueFrom": {
                "fieldRef": {"fieldPath!": str},
                "secretKeyRef": {"name": str, "key!": str},
                "configMapKeyRef": {"name": str, "key!": str},
            },
        }
    ],
    "envFrom": [{}],
    "ports": [{"name": str, "containerPort": int}],
    "volumeMounts": [{"name!": str, "mountPath!": str, "subPath": str, "subPathExpr": str}],
    "securityContext": {"privileged": bool, "capabilities": {"add": [str]}},
    "resources": {"limits": {}, "requests": {}},
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "startupProbe": PROBE,
}
METADATA: Shape = {"name": str, "generateName": str, "namespace": str, "labels": {}, "annotations": {}}
POD: Shape = {
    "containers!": [CONTAINER],
    "initContainers": [CONTAINER],
    "volumes": [{"name!": str, "emptyDir": {}, "persistentVolumeClaim": {"claimName!": str}}],
    "hostNetwork": bool,
    "runtimeClassName": str,
    "serviceAccountName": str,
}
TEMPLATE: Shape = {"metadata": METADATA, "spec!": POD}
WORKLOAD: Shape = {
    "metadata!": METADATA,
    "spec!": {
        "replicas": int,
        "template!": TEMPLATE,
        "podManagementPolicy": str,
        "ordinals": {"start": int},
        "strategy": {"type": str, "rollingUpdate": {}},
    },
}
SHAPES: dict[str, Shape] = {
    "Pod": {"metadata!": METADATA, "spec!": POD},
    "CronJob": {"metadata!": METADATA, "spec!": {"jobTemplate!": {"spec!": {"template!": TEMPLATE}}}},
}
"""By kind; all other workloads have the same."""
NAMES = {dict: "a map", list: "a list", str: "text", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class Misfit:
    """A part of a manifest that has not the shape that Kubernetes asks for."""

    line: int
    what: str


def in_shape(manifest: Located) -> tuple[Located, list[Misfit]]:
    """A workload's manifest as far as it has the shape of its kind, and what of it has not."""
    misfits: list[Misfit] = []
    kept = _fitted(manifest, SHAPES.get(manifest["kind"], WORKLOAD), "", manifest.line, misfits)
    metadata = kept.setdefault("metadata", Located())
    if "name" not in metadata:
        metadata["name"] = metadata.get("generateName") or "?"
        if metadata["name"] == "?":
            misfits.append(Misfit(manifest.line, "metadata.name is missing."))
    return kept, misfits


def _fitted(value: Any, shape: Shape, path: str, line: int, misfits: list[Misfit]) -> Any:
    """The value as far as it fits; None if it does not at all."""
    kind = shape if isinstance(shape, type) else type(shape)
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not fits:
        advice = ": put it into quotes" if kind is str and isinstance(value, bool | int | float) else ""
        misfits.append(Misfit(line, f"{path} must be {NAMES[kind]}{advice}."))
        return _written(value) if advice else None
    if isinstance(shape, dict):
        return _fitted_map(value, shape, path, misfits)
    if isinstance(shape, list):
        items = (
            _fitted(item, shape[0], f"{path}[{index}]", getattr(item, "line", line), misfits)
            for index, item in enumerate(value)
        )
        return [item for item in items if item is not None]
    return value


def _fitted_map(value: dict[str, Any], shape: dict[str, Any], path: str, misfits: list[Misfit]) -> Located | None:
    kept = Located()
    kept.line = getattr(value, "line", 1)
    fields = {field.rstrip("!"): part for field, part in shape.items()}
    for key, item in value.items():
        if item is None:
            continue  # as if it were not there
        part = fields.get(key)
        where = f"{path}.{key}" if path else key
        made = item if part is None else _fitted(item, part, where, getattr(item, "line", kept.line), misfits)
        if made is not None and (part is not None or shape is not PROBE):
            kept[key] = made
    missing = [field.rstrip("!") for field in shape if field.endswith("!") and field.rstrip("!") not in kept]
    misfits += [Misfit(kept.line, f"{path}.{field} is missing.".lstrip(".")) for field in missing]
    return kept if not missing or path in ("", "spec") else None


def _written(value: object) -> str:
    """A scalar as YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def workload_objects(found: Iterator[Any], groups: dict[str, str]) -> Iterator[Located]:
    """Those objects that are workloads of Kubernetes' own, by their kinds' API groups."""
    for manifest in found:
        version = str(manifest.get("apiVersion") or groups.get(manifest["kind"], ""))
        if manifest["kind"] in groups and version.rpartition("/")[0] == groups[manifest["kind"]].rpartition("/")[0]:
            yield manifest
