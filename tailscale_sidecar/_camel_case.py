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


def to_camel_case(value: Any, kind: type, path: str) -> Any:
    """Returns `value` as plain dicts and lists with camelCase keys; `kind` is the args class that describes it.

    Outputs pass as they are, at any depth. A field that `kind` does not have is a ValueError that names it by `path`.
    """
    if isinstance(value, pulumi.Output) or value is None:
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
        if item is not None:
            result[name] = _field(item, kinds[name], f"{path}.{name}")
    return result


def _field(value: Any, hint: Any, path: str) -> Any:
    """Converts one field's value by the type hint that the args class gives it."""
    if isinstance(value, pulumi.Output):
        return value
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next((h for h in typing.get_args(hint) if isinstance(h, type) and _types.is_input_type(h)), hint)
    if isinstance(hint, type) and _types.is_input_type(hint):
        return to_camel_case(value, hint, path)
    if isinstance(value, Sequence) and not isinstance(value, str):
        (item_hint,) = typing.get_args(hint) or (Any,)
        return [_field(item, item_hint, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):  # a map of the user's own keys, such as labels
        return dict(value)
    return value
