"""All defects that are known, for the documentation and for whoever lists them."""

from __future__ import annotations

from types import ModuleType

from ..findings import Defect
from . import logs, network, plans, replicas, template

MODULES: tuple[ModuleType, ...] = (template, replicas, logs, network, plans)


def defects() -> list[Defect]:
    """Each once, in the order of the modules."""
    found = [value for module in MODULES for value in vars(module).values() if isinstance(value, Defect)]
    return list(dict.fromkeys(found))
