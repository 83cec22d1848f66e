"""Turns what Pulumi users write (args classes, dicts in snake_case or camelCase) into Kubernetes' own form."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

# Pulumi's own table of each type's fields and their names. It is not public, but the SDKs' generated code uses it; the
# alternative, guessing camelCase from snake_case, is wrong for setHostnameAsFQDN, hostIPC and about 30 others.
from pulumi import _types

QUANTITIES = ("divisor", "sizeLimit")
"""Fields that the SDK calls text, and that Kubernetes takes as numbers too."""


def to_camel_case(value: Any, kind: type, path: str) -> Any:
    """Returns `value` as plain dicts and lists with camelCase keys; `kind` is the args class that describes it.

    Outputs pass as they are, at any depth. A field that `kind` does not have, or that has a value of another kind, is a
    ValueError that names it by `path`.
    """
    if isinstance(value, pulumi.Output):
        return value
    if _types.is_input_type(type(value)):
        value = _types.input_type_to_dict(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} must be {kind.__name__} or a dict")
    names = _types.input_type_py_to_pulumi_names(kind)
    kinds = _types.input_type_types(kind)
    result = {}
    for key, item in value.items():
        name = names.get(key, key)
        if name not in kinds:
            near = difflib.get_close_matches(str(key), [*kinds, *names], n=1)
            raise ValueError(f"{path} has no field {key}" + (f"; did you mean {near[0]}?" if near else ""))
        if name in result:
            raise ValueError(f"{path}.{name} is given twice, as {name} and in snake_case; remove one")
        if item is not None:
            result[name] = _field(item, kinds[name], f"{path}.{name}")
    return result


def _field(value: Any, hint: Any, path: str) -> Any:
    """Converts one field's value by the type hint that the args class gives it."""
    if isinstance(value, pulumi.Output):
        return value
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        known = [
            h for h in typing.get_args(hint) if isinstance(h, type) and (_types.is_input_type(h) or h in (str, int))
        ]
        hint = known[0] if len(known) == 1 else hint  # else a number or a text, such as a port's
    if isinstance(hint, type) and _types.is_input_type(hint):
        return to_camel_case(value, hint, path)
    if typing.get_origin(hint) is Sequence:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(f"{path} must be a list")
        (item_hint,) = typing.get_args(hint)
        return [_field(item, item_hint, f"{path}[{index}]") for index, item in enumerate(value)]
    if typing.get_origin(hint) is Mapping:  # the user's own keys, such as labels
        if not isinstance(value, Mapping):
            raise ValueError(f"{path} must be a dict")
        return dict(value)
    _check_scalar(value, hint, path)
    return value


def _check_scalar(value: Any, hint: Any, path: str) -> None:
    if hint is bool and not isinstance(value, bool):
        raise ValueError(f"{path} must be True or False")
    if hint is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"{path} must be an integer")
    if hint is str and not isinstance(value, str) and path.rpartition(".")[2] not in QUANTITIES:
        is_resource = isinstance(value, pulumi.Resource)
        instead = "give the name of the resource: .metadata.name" if is_resource else "write it in quotes"
        raise ValueError(f"{path} must be text; {instead}")
