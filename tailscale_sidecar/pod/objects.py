"""Kubernetes objects as plain data, and the parts of them that several choices write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
"""A Kubernetes object or a part of one: camelCase keys, JSON values, and Outputs as leaves.

Where one is handed to a resource of Pulumi's SDK it is typed Any: the SDK's TypedDicts know only its own spelling."""


def env_value(name: str, value: Any) -> Json:
    """An environment variable with a value of its own."""
    return {"name": name, "value": value}


def env_field(name: str, path: str) -> Json:
    """An environment variable from a field of the pod (the downward API)."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


NEVER = 2_147_483_647
"""Failures of a start-up probe before it restarts its container: the largest that Kubernetes takes, 68 years."""


def startup_probe(path: str, port: int) -> Json:
    """Holds back what starts after the container, for as long as it takes. It is never what restarts it."""
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1, "failureThreshold": NEVER}


def known_items(value: Any) -> Iterator[tuple[int, Mapping[Any, Any]]]:
    """The items of a list that can be looked into, each with its index: neither it nor they are Outputs."""
    return (
        ((index, item) for index, item in enumerate(value) if isinstance(item, Mapping))
        if isinstance(value, list)
        else iter(())
    )


def whole_number(value: Any) -> Any:
    """An integer where the value is one: Pulumi's engine sends all numbers as fractions."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def plain_value(value: Any) -> Any:
    """A text or a number; None for an Output, which has no hash."""
    return value if isinstance(value, str | int) else None
