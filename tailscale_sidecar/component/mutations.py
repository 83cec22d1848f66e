"""What puts the sidecar into pods as they are created: JSON patches in CEL, of a MutatingAdmissionPolicy.

Patches, since a policy's ApplyConfiguration may not touch a container with a command or added capabilities ("may not mutate
atomic arrays", k8s.io/apiserver@v0.37.2 pkg/admission/plugin/policy/mutating/patch/smd.go), and cannot put the sidecar first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..pod.objects import Json

LISTS = ("containers", "initContainers", "volumes")
"""Of a PodSpec: what the sidecar's part of it is added to."""


def mutations(pod: Json, annotations: Mapping[str, str]) -> list[str]:
    """The policy's expressions, each of which is given what those before it made.

    Args:
        pod: A PodSpec with the sidecar beside one container, which has no volumes of its own.
        annotations: Of the pods.
    """
    (app,) = pod["containers"]
    sidecars = [container["name"] for container in pod["initContainers"]]
    fields = [_add(f"/spec/{field}", value) for field, value in pod.items() if field not in LISTS]
    found = [
        _with_parent("spec", "initContainers", [])
        + _listed(_add("/spec/initContainers/0", container) for container in reversed(pod["initContainers"])),
        _with_parent("spec", "volumes", [])
        + _listed([*(_add("/spec/volumes/-", one) for one in pod["volumes"]), *fields]),
    ]
    if annotations:
        places = {f"/metadata/annotations/{_pointer(key)}": text for key, text in annotations.items()}
        added = _listed(_add(place, text) for place, text in places.items())
        found.append(_with_parent("metadata", "annotations", {}) + added)
    for containers in ("containers", "initContainers"):
        found += _mounted(containers, app.get("volumeMounts") or (), sidecars)
    return found


def _mounted(containers: str, mounts: Iterable[Json], sidecars: list[str]) -> list[str]:
    """Gives volume mounts to all containers of the pod's own."""
    added = [_add("/volumeMounts/-", mount, f'"/spec/{containers}/" + string(i) + ') for mount in mounts]
    if not added:
        return []
    items = f"object.spec.{containers}"
    places = f"(has({items}) ? lists.range(size({items})) : []).filter(i, !({items}[i].name in {literal(sidecars)}))"
    missing = _add("/volumeMounts", [], f'"/spec/{containers}/" + string(i) + ')
    return [
        f"{places}.filter(i, !has({items}[i].volumeMounts)).map(i, {missing})",
        f"{places}.map(i, {_listed(added)}).flatten()",
    ]


def _with_parent(parent: str, field: str, empty: Any) -> str:
    """Makes a list or map that is to be added to, where there is none; to be followed by what is added."""
    return f"(has(object.{parent}.{field}) ? [] : {_listed([_add(f'/{parent}/{field}', empty)])}) + "


def _listed(patches: Iterable[str]) -> str:
    return f"[{', '.join(patches)}]"


def _add(path: str, value: Any, before: str = "") -> str:
    return f'JSONPatch{{op: "add", path: {before}"{path}", value: {literal(value)}}}'


def _pointer(key: str) -> str:
    """A key as JSON pointers have it (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def literal(value: Any) -> str:
    """A JSON value in CEL. There, lists and maps hold one type, unless it is `dyn`; strings are as in JSON."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{literal(key)}: dyn({literal(item)})' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(f'dyn({literal(item)})' for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
