"""Which checks there are for what: all that is found, and all that can be, comes from here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from ..inspection.deployment_plan import Plan
from ..inspection.deployment_target import Ground
from ..inspection.known_workload import KnownWorkload
from ..inspection.snapshot import Snapshot
from ..inspection.unknown_values import known
from ..inspection.workload import Workload
from ..report.findings import Defect, Finding
from . import access, devices, network, plans, pod_admission, pods, user_namespaces  # noqa: F401 - each registers its checks
from .registry import Checks, away_because, check_plan, check_replica, check_workload, not_ready_because
from .template import MALFORMED, check_template, check_templates
from .template.networking import USER_NAMESPACE_CONFLICT


def of_templates(workloads: Sequence[Workload]) -> Iterator[Finding]:
    """What is wrong with pod templates, each by itself and one beside the other."""
    for index, workload in enumerate(workloads):
        yield from check_template.findings(workload)
        yield from check_templates.findings(workload, workloads[:index])


def of_snapshot(snapshot: Snapshot) -> Iterator[Finding]:
    """What is wrong with workloads that run, as far as their manifests say how they are meant."""
    snapshot = of_what_is_known(snapshot)
    for workload in snapshot.workloads:
        yield from check_workload.findings(snapshot, workload)
    for replica in snapshot.replicas:
        yield from check_replica.findings(snapshot, replica)
        if replica.is_ready and not replica.is_ending:
            yield from away_because.first(snapshot, replica)
        elif not replica.is_missing and not replica.is_ending and not replica.has_ended:
            yield from not_ready_because.first(snapshot, replica)


def of_what_is_known(snapshot: Snapshot) -> Snapshot:
    """The same, of whose workloads only that can be looked at which their manifests say."""
    workloads = {id(workload): KnownWorkload(known(workload.manifest)) for workload in snapshot.workloads}
    replicas = (replace(replica, workload=workloads[id(replica.workload)]) for replica in snapshot.replicas)
    return replace(snapshot, workloads=tuple(workloads.values()), replicas=tuple(replicas))


def of_plans(ground: Ground, planned: Iterable[Plan]) -> Iterator[Finding]:
    """What the cluster and the tailnet will object to."""
    for plan in planned:
        yield from check_plan.findings(ground, plan)


def doctor() -> list[Defect]:
    """What `doctor` can find."""
    every = defects(check_template, check_replica, check_workload, not_ready_because, away_because)
    return [defect for defect in every if defect is not USER_NAMESPACE_CONFLICT]  # no API server has one


def policy() -> list[Defect]:
    """What the policy pack can find."""
    return defects(check_template)


def lint() -> list[Defect]:
    """What `lint` can find."""
    return [*policy(), MALFORMED]


def preflight() -> list[Defect]:
    """What `preflight` can find."""
    return defects(check_plan)


def defects(*registries: Checks[...]) -> list[Defect]:
    """Each once."""
    return list(dict.fromkeys(chain.from_iterable(registry.defects() for registry in registries)))
