"""What the containers of a pod ask for, as Kubernetes counts it. Nothing here needs Pulumi."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .quantities import amount

RESOURCES = ("cpu", "memory")
"""Those that a pod can have of its own and the added containers ask for."""


def is_guaranteed(resources: Mapping[str, Any]) -> bool:
    """Whether a container's resources are those of a pod of the class Guaranteed; a request left out is as high as the limit.

    Source: kubernetes.io/docs/concepts/workloads/pods/pod-qos.
    """
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    try:
        return all(
            name in limits and amount(limits[name]) == amount(requests.get(name, limits[name])) != 0
            for name in RESOURCES
        )
    except ValueError:  # a text that is no quantity: the API server refuses it
        return False


def of_pod(spec: Mapping[str, Any], kind: str) -> dict[str, Decimal]:
    """The requests or the limits of a whole pod, as Kubernetes counts them (k8s.io/component-helpers/resource).

    That is what its containers have together, or what an init container has with the native sidecars before it, if that is
    more.
    """
    lasting: dict[str, Decimal] = {}
    most: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        at_once = _added(lasting, asked_by(container, kind))
        most = {**most, **{name: max(most.get(name, asked), asked) for name, asked in at_once.items()}}
        if container.get("restartPolicy") == "Always":
            lasting = at_once
    for container in spec["containers"]:
        lasting = _added(lasting, asked_by(container, kind))
    together = {name: max(lasting.get(name, Decimal(0)), most.get(name, Decimal(0))) for name in {**lasting, **most}}
    overhead = {name: amount(asked) for name, asked in (spec.get("overhead") or {}).items() if name in together}
    return _added({**together, **asked_by(spec, kind)}, overhead)


def asked_by(container: Mapping[str, Any], kind: str) -> dict[str, Decimal]:
    """The requests or the limits of a container, or of a pod of its own. A request that is left out is as high as the limit."""
    resources = container.get("resources") or {}
    found = {**(resources.get("limits") or {}), **(resources.get(kind) or {})}
    return {name: amount(found[name]) for name in RESOURCES if name in found}


def _added(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {**one, **other}}
