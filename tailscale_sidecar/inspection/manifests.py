"""Kubernetes objects from YAML or JSON that people have: read as kubectl does, and refused with the place."""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pulumi import _types
from pulumi_kubernetes.apps.v1 import DeploymentArgs, StatefulSetArgs
from pulumi_kubernetes.core.v1 import ConfigMapArgs, PodArgs, SecretArgs, ServiceAccountArgs, ServiceArgs
from pulumi_kubernetes.rbac.v1 import ClusterRoleArgs, ClusterRoleBindingArgs, RoleArgs, RoleBindingArgs

from ..pod.camel_case import to_camel_case
from ..pod.objects import Json
from . import yaml_objects

KINDS: dict[str, Any] = {
    "ClusterRole": ClusterRoleArgs,
    "ClusterRoleBinding": ClusterRoleBindingArgs,
    "ConfigMap": ConfigMapArgs,
    "Deployment": DeploymentArgs,
    "Pod": PodArgs,
    "Role": RoleArgs,
    "RoleBinding": RoleBindingArgs,
    "Secret": SecretArgs,
    "Service": ServiceArgs,
    "ServiceAccount": ServiceAccountArgs,
    "StatefulSet": StatefulSetArgs,
}
"""What is looked into, and so has to be well-formed, with the types of Pulumi's SDK."""
QUANTITIES = ("capacity", "hard", "limits", "overhead", "requests")
"""Maps whose values may be numbers."""
DEEPEST = 100
"""Levels of lists and maps. No object has as many; a YAML alias of something that it is in has no end."""


def objects(text: str, source: str) -> list[Json]:
    """The objects of a manifest, those of lists too, without what is no object. `source` is how errors name it.

    Raises:
        ValueError: It is not YAML, or an object of a kind that is looked into is not well-formed.
    """
    try:
        found = list(yaml_objects.objects(text))
    except yaml_objects.NotReadableError as error:
        raise ValueError(f"{source} is not YAML: {' '.join(str(error).split())}") from None
    places = [f"{source}:{getattr(one, 'line', 1)}" for one in found]
    return [_checked(_plain(one, place), place) for one, place in zip(found, places, strict=True)]


def _plain(value: Any, where: str, depth: int = 0) -> Any:
    """JSON, with text for keys, and without what is empty (null)."""
    if depth > DEEPEST:
        raise ValueError(f"{where} is nested too deeply")
    if isinstance(value, Mapping):
        return {str(key): _plain(item, where, depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple | set):
        return [_plain(item, where, depth + 1) for item in value if item is not None]
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)


def _checked(found: Json, where: str) -> Json:
    """An object that is well-formed, or of which there is no more than kind and name, for it is not looked into."""
    metadata = found.get("metadata", {})
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if found["kind"] not in KINDS or not name:  # without a name it cannot be looked for
        return {"kind": found["kind"], "metadata": {"name": name} if isinstance(name, str) else {}}
    path = f"{where}: {found['kind']} {name}"
    kind = KINDS[found["kind"]]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of fields that Pulumi's SDK does not know: the program that is printed warns itself
        made: Json = to_camel_case({key: item for key, item in found.items() if key != "status"}, kind, path)
    _require(made, kind, path)
    return {**({"spec": {}} if "spec" in _fields(kind) else {}), "metadata": {}, **made}


def _require(value: Any, hint: Any, path: str) -> None:
    """Raises ValueError for a field that Kubernetes requires, and that is not there, and for labels that are no text."""
    if isinstance(value, dict) and typing.get_origin(hint) is Mapping and path.rpartition(".")[2] not in QUANTITIES:
        wrong = next((key for key, item in value.items() if not isinstance(item, str)), None)
        if wrong is not None:
            raise ValueError(f"{path}.{wrong} must be text; write it in quotes")
    if isinstance(value, list):
        (item_hint,) = typing.get_args(hint) or (Any,)
        for index, item in enumerate(value):
            _require(item, item_hint, f"{path}[{index}]")
    if not isinstance(value, dict) or not isinstance(hint, type) or not _types.is_input_type(hint):
        return
    missing = next((field for field in _required(hint) if field not in value), None)
    if missing:
        raise ValueError(f"{path}.{missing} is missing")
    for field, item in value.items():
        _require(item, _fields(hint).get(field), f"{path}.{field}")


@cache
def _fields(kind: Any) -> Mapping[str, Any]:
    """The fields of a type of Pulumi's SDK, each with its own type."""
    return {name: _bare(hint) for name, hint in _types.input_type_types(kind).items()}


def _bare(hint: Any) -> Any:
    """A type of the SDK, or a list of it, out of a union with Outputs."""
    for one in (hint, *typing.get_args(hint)):
        if isinstance(one, type) and _types.is_input_type(one):
            return one
        if typing.get_origin(one) is Mapping:
            return one
        if typing.get_origin(one) is Sequence:
            return Sequence[_bare(typing.get_args(one)[0])]  # type: ignore[misc] # made from what the SDK says
    return hint


@cache
def _required(kind: Any) -> tuple[str, ...]:
    """The fields that Kubernetes requires: the arguments without a default."""
    names = _types.input_type_py_to_pulumi_names(kind)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return tuple(names.get(p.name, p.name) for p in parameters if p.default is p.empty)
