"""All defects that are known, for the documentation and for whoever lists them."""

from __future__ import annotations

from types import ModuleType

from ..report.findings import Defect
from . import logs, network, plans, replicas, template

ROUTES_AND_DNS = (
    network.ROUTE_OVERLAP,
    network.ROUTE_OVERLAP_GUARDED,
    network.ROUTE_OVERLAP_LATENT,
    network.TAILNET_RANGE,
    network.SPLIT_DNS_MISSING,
    network.SPLIT_DNS_ELSEWHERE,
    network.MAGIC_DNS_OFF,
)
"""What can be seen before anything runs."""


def doctor() -> list[Defect]:
    """Those that `doctor` finds."""
    return [defect for defect in of(template, replicas, logs, network) if defect is not network.EXIT_NODE_OFFERED]


def policy() -> list[Defect]:
    """Those that the policy pack finds."""
    return of(template)


def preflight() -> list[Defect]:
    """Those that `preflight` finds."""
    return list(dict.fromkeys([*of(plans), *ROUTES_AND_DNS]))


def of(*modules: ModuleType) -> list[Defect]:
    """Those that modules name, each once."""
    return list(
        dict.fromkeys(value for module in modules for value in vars(module).values() if isinstance(value, Defect))
    )
