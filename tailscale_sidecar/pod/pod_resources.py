"""Pod-level resources (Kubernetes 1.34), which have to cover what the added containers ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pulumi

from .asked_resources import RESOURCES
from .objects import Json
from .quantities import total


def with_added(pod: Json, added: Iterable[Json]) -> Json:
    """The pod's own requests and limits, and on top of each what the added containers may take: the app keeps its share.

    Kubernetes refuses a pod whose requests are below those of its containers together. A container without a limit counts
    with its request, so that a pod that is Guaranteed stays so.
    """
    lasting = [container.get("resources", {}) for container in added if container.get("restartPolicy") == "Always"]
    return {
        **pod,
        **{
            kind: {name: _sum(quantity, lasting, (kind, other), name) for name, quantity in pod[kind].items()}
            for kind, other in (("requests", "limits"), ("limits", "requests"))
            if kind in pod and not isinstance(pod[kind], pulumi.Output)
        },
    }


def _sum(quantity: Any, lasting: list[Json], kinds: tuple[str, str], name: str) -> Any:
    """One resource's quantity with those of the containers: of the first of the kinds that a container has."""
    if name not in RESOURCES:
        return quantity
    asked = [
        next((resources[kind][name] for kind in kinds if name in resources.get(kind, {})), None)
        for resources in lasting
    ]
    quantities = [quantity, *(one for one in asked if one is not None)]
    if any(isinstance(one, pulumi.Output) for one in quantities):
        return pulumi.Output.all(*quantities).apply(total)
    return total(quantities)
