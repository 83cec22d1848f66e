"""Checks of a pod template by itself: they need no cluster, so that they hold for a program's objects as well."""

from __future__ import annotations

from ...report.findings import Defect, Severity
from ..registry import check_template, check_templates
from . import lifecycle, login, networking, release, resources, settings, state  # noqa: F401 - each registers its checks; the docs list them in this order

KINDS = {
    "CronJob": "batch/v1",
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "Job": "batch/v1",
    "Pod": "v1",
    "StatefulSet": "apps/v1",
}
"""What has a pod template, with its API version."""

MALFORMED = Defect(
    name="manifest-malformed",
    severity=Severity.ERROR,
    why="The API server refuses the object. The checks leave out what it does not take.",
    do="Correct it.",
    source="https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/",
)
"""What `lint` says of a manifest before it checks it."""

__all__ = ["KINDS", "MALFORMED", "check_template", "check_templates"]
