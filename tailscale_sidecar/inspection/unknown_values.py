"""Values that a manifest does not say: Outputs of a Pulumi program before `up`, variables from ConfigMaps and Secrets.

A look at one is an UnknownError, so that no check decides on what nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pulumi.runtime.rpc import UNKNOWN
from typing_extensions import override

from ..pod.objects import Json
from .workload import Workload, environment


class UnknownError(Exception):
    """Something was looked at that the manifest does not say."""


class Known(dict[str, Any]):
    """A JSON object, or a container's variables, of which nothing but what is known can be looked at."""

    shows_all = True
    """False where it has keys that nobody sees, such as variables from a whole ConfigMap."""

    @override
    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if isinstance(value, str) and UNKNOWN in value:
            raise UnknownError
        return value

    def __missing__(self, key: str) -> Any:
        raise UnknownError

    @override
    def get(self, key: str, default: Any = None, /) -> Any:
        return self[key] if key in self or not self.shows_all else default


def known(value: Any) -> Any:
    """JSON with UNKNOWN in it, made so that this cannot be looked at. A list with something unknown is so as a whole."""
    if isinstance(value, Mapping):
        return Known({key: known(item) for key, item in value.items()})
    if isinstance(value, list):
        items = [known(item) for item in value]
        return UNKNOWN if UNKNOWN in items else items
    return value


@dataclass(frozen=True)
class KnownWorkload(Workload):
    """A workload as far as its manifest says what it is."""

    @cached_property
    @override
    def env(self) -> dict[str, str]:
        variables = environment({"env": [legible(v) for v in self.sidecar.get("env") or ()]})
        if not self.sidecar.get("envFrom"):
            return Known(variables)
        found = Known({name: UNKNOWN if "$(" in value else value for name, value in variables.items()})
        found.shows_all = False
        return found


def legible(variable: Json) -> Json:
    """A variable as `environment` can read it: UNKNOWN, as what refers to it will be, unless the manifest says it."""
    with suppress(UnknownError):
        source = variable.get("valueFrom") or {"value": variable.get("value")}
        if "value" in source or (source.get("fieldRef") or {}).get("fieldPath"):
            return variable
    return {"name": variable["name"], "value": UNKNOWN}
