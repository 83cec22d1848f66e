"""A workload as far as its manifest says what it is: what it does not say cannot be looked at."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from typing_extensions import override

from ..pod.objects import Json
from .unknown_values import UNKNOWN, Known, UnknownError, known_items
from .workload import Workload, environment


@dataclass(frozen=True)
class KnownWorkload(Workload):
    """A workload of whose manifest `known` has made what may be looked at."""

    @cached_property
    @override
    def env(self) -> dict[str, str]:
        listed = [variable for item in known_items(self.sidecar, "env") if (variable := legible(item))]
        found = Known(environment({"env": listed}))
        if not self._lists_all(listed):
            found = Known({name: UNKNOWN if "$(" in value else value for name, value in found.items()})
            found.shows_all = False
        return found

    def _lists_all(self, listed: list[Json]) -> bool:
        """Whether the sidecar has no other variables than these."""
        with suppress(UnknownError):
            return len(listed) == len(self.sidecar.get("env") or ()) and not self.sidecar.get("envFrom")
        return False


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
