"""What the checks of `lint`, `doctor` and the policy pack find in the component's own pods, found before they are deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from ..checks.template import KINDS, check_template
from ..checks.template.resources import GUARANTEED_LOST
from ..inspection.known_workload import KnownWorkload
from ..inspection.unknown_values import ANY_IMAGE, UNKNOWN, known
from ..inspection.workload import workloads
from ..pod.model import warn
from ..pod.objects import Json
from ..report.findings import Severity, redacted

UNASKED = (GUARANTEED_LOST.name,)
"""Warnings of what the component itself brings about. What the others are about, the user has asked for."""


def refuse(workload: Json) -> None:
    """Raises ValueError for the first error that the checks find, as far as the values are known; warns of what is unasked."""
    for found in workloads([known(_plain(workload))], KINDS):
        for finding in check_template.findings(KnownWorkload(found.manifest)):
            told = redacted(f"{finding.name}: {finding.what} {finding.why} {finding.do}")
            if finding.severity is Severity.ERROR:
                raise ValueError(told)
            if finding.name in UNASKED:
                warn(f"{found.kind} {found.name}: {told}")


def _plain(value: Any, key: str = "") -> Any:
    if isinstance(value, pulumi.Output):
        return ANY_IMAGE if key == "image" else UNKNOWN
    if isinstance(value, Mapping):
        return {name: _plain(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
