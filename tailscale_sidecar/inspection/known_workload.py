"""A workload as far as its manifest says what it is: what it does not say cannot be looked at."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from typing_extensions import override

from ..pod.objects import Json
from .start_command import Start, start_of
from .unknown_values import UNKNOWN, Known, UnknownError, known_items
from .workload import POD_NAME, Workload, environment


@dataclass(frozen=True)
class KnownWorkload(Workload):
    """A workload of whose manifest `known` has made what may be looked at."""

    @cached_property
    @override
    def env(self) -> dict[str, str]:
        if self.start is None:
            return all_unknown()
        return self._own_env | (self.start.variables or {})

    @cached_property
    @override
    def _own_env(self) -> Known:
        listed = [variable for item in known_items(self.sidecar, "env") if (variable := legible(item))]
        found = Known({name: self._known_of_template(value) for name, value in environment({"env": listed}).items()})
        if not self._lists_all(listed):
            found = Known({name: UNKNOWN if "$(" in value else value for name, value in found.items()})
            found.shows_all = False
        return found

    def _known_of_template(self, value: str) -> str:
        with suppress(UnknownError):
            return self._of_template(value)
        return UNKNOWN

    @cached_property
    @override
    def start(self) -> Start | None:
        with suppress(UnknownError):
            if self.is_component:
                return Start()
        legible_env = {name: value for name, value in self._own_env.items() if UNKNOWN not in value}
        return start_of(self.sidecar, legible_env, POD_NAME)

    def _lists_all(self, listed: list[Json]) -> bool:
        """Whether the sidecar has no other variables than these."""
        with suppress(UnknownError):
            return len(listed) == len(self.sidecar.get("env") or ()) and not self.sidecar.get("envFrom")
        return False


def all_unknown() -> Known:
    """Variables of which none is known."""
    found = Known()
    found.shows_all = False
    return found


def legible(variable: Json) -> Json | None:
    """A variable as `environment` can read it: UNKNOWN, as what refers to it will be, unless the manifest says it.

    None where not even its name is known.
    """
    with suppress(UnknownError):
        source = variable.get("valueFrom") or {"value": variable.get("value")}
        if "value" in source or (source.get("fieldRef") or {}).get("fieldPath"):
            return {"name": variable["name"], **variable}
    with suppress(UnknownError):
        return {"name": variable["name"], "value": UNKNOWN}
    return None
