"""Objects with a value that is not known yet."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tailscale_sidecar.inspection.unknown_values import UNKNOWN
from tests.support.api_server import Json

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where something can be unknown: each value of an object or a list, and each value within."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from paths(item, (*path, key))


def with_unknown(found: Json, path: Path) -> Json:
    changed = copy.deepcopy(found)
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = UNKNOWN
    return changed
