"""Words that findings of replicas share."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from ..inspection.snapshot import Replica
from ..inspection.unknown_values import UnknownError
from ..inspection.workload import Workload


def words(replica: Replica) -> dict[str, str]:
    """What advice may name."""
    workload, secret = replica.workload, "of its state"
    with suppress(UnknownError):
        secret = replica.state_secret
    return {
        **words_of_workload(workload),
        "pod": replica.name,
        "container": str(workload.sidecar["name"]),
        "secret": secret,
    }


def words_of_workload(workload: Workload) -> dict[str, str]:
    """What advice may name of a workload."""
    return {"kind": workload.kind.lower(), "workload": workload.name, "namespace": workload.namespace}


def restarted(replica: Replica) -> str:
    """How often."""
    return f"{replica.restarts} restart{'s' if replica.restarts > 1 else ''}"


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in one unit."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{seconds} s ago"
