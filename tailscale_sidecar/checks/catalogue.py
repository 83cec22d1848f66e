"""Which checks there are for what: all that is found, and all that can be, comes from here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from ..inspection.deployment_plan import Plan
from ..inspection.deployment_target import Ground
from ..inspection.snapshot import Snapshot
from ..inspection.workload import Workload
from ..report.findings import Defect, Finding
from . import access, devices, network, plans, pods  # noqa: F401 - each registers its checks
from .registry import Checks, away_because, check_plan, check_replica, check_workload, not_ready_because
from .template import check_template, check_templates


def of_templates(workloads: Sequence[Workload]) -> Iterator[Finding]:
    """What is wrong with pod templates, each by itself and one beside the other."""
    for index, workload in enumerate(workloads):
        yield from check_template.findings(workload)
        yield from check_templates.findings(workload, workloads[:index])


def of_snapshot(snapshot: Snapshot) -> Iterator[Finding]:
    """What is wrong with workloads that run."""
    for workload in snapshot.workloads:
        yield from check_workload.findings(snapshot, workload)
    for replica in snapshot.replicas:
        yield from check_replica.findings(snapshot, replica)
        if replica.is_ready and not replica.is_ending:
            yield from away_because.first(snapshot, replica)
        elif not replica.is_missing and not replica.is_ending:
            yield from not_ready_because.first(snapshot, replica)


def of_plans(ground: Ground, planned: Iterable[Plan]) -> Iterator[Finding]:
    """What the cluster and the tailnet will object to."""
    for plan in planned:
        yield from check_plan.findings(ground, plan)


def doctor() -> list[Defect]:
    """What `doctor` can find."""
    return defects(check_template, check_replica, check_workload, not_ready_because, away_because)


def policy() -> list[Defect]:
    """What the policy pack and `lint` can find."""
    return defects(check_template)


def preflight() -> list[Defect]:
    """What `preflight` can find."""
    return defects(check_plan)


def defects(*registries: Checks[...]) -> list[Defect]:
    """Each once."""
    return list(dict.fromkeys(chain.from_iterable(registry.defects() for registry in registries)))
