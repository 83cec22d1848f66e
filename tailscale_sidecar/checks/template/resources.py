"""Checks of what containers ask for."""

from __future__ import annotations

from collections.abc import Iterator

from ...inspection.workload import Workload
from ...pod.asked_resources import is_guaranteed
from ...pod.contract import OWN_CONTAINERS
from ...report.findings import Defect, Severity
from ..registry import Seen, check_template

GUARANTEED_LOST = Defect(
    name="guaranteed-becomes-burstable",
    severity=Severity.WARNING,
    why=(
        "A pod is Guaranteed only if each of its containers has limits for CPU and memory that its requests equal. "
        "Burstable pods are evicted before Guaranteed ones, and get no CPUs of their own."
    ),
    do=(
        "Give {containers} limits for CPU and memory, and requests that equal them: of this component, `resources` are "
        "the sidecar's and `dns_resources` the resolver's."
    ),
    source="docs/operations.md#day-two",
)


@check_template(GUARANTEED_LOST)
def guaranteed_lost(workload: Workload) -> Iterator[Seen]:
    every = workload.all_containers
    own = [c for c in every if c is workload.sidecar or (workload.is_component and c.get("name") in OWN_CONTAINERS)]
    apps = [container for container in every if container not in own]
    lacking = [str(container.get("name")) for container in own if not is_guaranteed(container.get("resources") or {})]
    pods_own = workload.pod_spec.get("resources")  # of the pod as a whole: they alone count then
    if lacking and apps and not pods_own and all(is_guaranteed(app.get("resources") or {}) for app in apps):
        names = " and ".join(lacking)
        yield Seen(
            f"The app's containers have limits that their requests equal, and {names} {'have' if len(lacking) > 1 else 'has'} "
            "not: the pod is Burstable.",
            {"containers": names},
        )
