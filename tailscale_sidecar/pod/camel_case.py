"""Turns what Pulumi users write (args classes, dicts in snake_case or camelCase) into Kubernetes' own form."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

# Pulumi's own table of each type's fields and their names. It is not public, but the SDKs' generated code uses it; the
# alternative, guessing camelCase from snake_case, is wrong for setHostnameAsFQDN, hostIPC and about 30 others.
from pulumi import _types

from .model import warn

MOST_APART = 2
"""Characters without a counterpart in a misspelling and what it is meant to be. Of all fields that a pod can have, `csi` and
`iscsi` alone are so near."""
NAME = re.compile("[a-z][a-zA-Z0-9]*")
"""What Kubernetes calls a field."""
QUANTITIES = ("divisor", "sizeLimit")
"""Fields that the SDK calls text, and that Kubernetes takes as numbers too."""


def each_to_camel_case(values: Sequence[Any], kind: type, path: str) -> tuple[Any, ...]:
    """`to_camel_case` of each value of a list. What is in it has to be known, so that none may be an Output itself."""
    if any(isinstance(value, pulumi.Output) for value in values):
        raise ValueError(f"{path} has an Output; give a dict, with Outputs inside")
    return tuple(to_camel_case(value, kind, f"{path}[{i}]") for i, value in enumerate(values))


def to_camel_case(value: Any, kind: type, path: str) -> Any:
    """Returns `value` as plain dicts and lists with camelCase keys; `kind` is the args class that describes it.

    Outputs pass as they are, at any depth. A field that has a value of another kind, or that is likely a misspelling of one
    that `kind` has, is a ValueError that names it by `path`. Any other that `kind` does not have may be newer than the
    installed SDK: it is kept, with a warning.
    """
    if isinstance(value, pulumi.Output):
        return value
    if _types.is_input_type(type(value)):
        value = _types.input_type_to_dict(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} must be {kind.__name__} or a dict")
    names = _types.input_type_py_to_pulumi_names(kind)
    kinds: dict[str, Any] = dict(_types.input_type_types(kind))
    result = {}
    for key, item in value.items():
        name = names.get(key) or key
        if name not in kinds:
            _refuse_misspelling(str(key), [*kinds, *names], path)
            warn(
                f"{path}.{name}: the installed pulumi_kubernetes does not know this field. It is given to the cluster as it "
                "is, which has to know it"
            )
            kinds[name] = Any
        if name in result:
            raise ValueError(f"{path}.{name} is given twice, as {name} and in snake_case; remove one")
        if item is not None:
            result[name] = _field(item, kinds[name], f"{path}.{name}")
    return result


def _refuse_misspelling(key: str, known: Sequence[str], path: str) -> None:
    meant = misspelt(key, known)
    if meant:
        raise ValueError(f"{path} has no field {key}; did you mean {meant}?")
    if not NAME.fullmatch(key):
        raise ValueError(
            f"{path} has no field {key}; if Kubernetes has it, and the installed pulumi_kubernetes does not know it yet, "
            "write it as Kubernetes does, in camelCase"
        )


def misspelt(key: str, known: Sequence[str]) -> str:
    """The known field that an unknown one is likely meant to be; nothing where there is none."""
    for near in difflib.get_close_matches(key, known, n=1):
        common = difflib.SequenceMatcher(None, key, near).get_matching_blocks()
        if len(key) + len(near) - 2 * sum(block.size for block in common) <= MOST_APART:
            return near
    return ""


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
