"""Policies for `pulumi preview --policy-pack`: what `doctor` finds in a workload's template, found before it is deployed.

Needs the extra `policy`. The folder policy/ of the repository is the pack; one of your own can have them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import Severity as PolicySeverity
from pulumi_policy.proxy import UnknownValueError
from typing_extensions import override

from .checks.registry import Check
from .checks.template import KINDS, check_template, check_templates
from .inspection.known_workload import KnownWorkload
from .inspection.unknown_values import ANY_IMAGE, UNKNOWN, known
from .inspection.workload import Workload, workloads
from .pod.objects import whole_number
from .report.findings import Finding, Severity, redacted

TYPES = {f"kubernetes:{'core/' * (group == 'v1')}{group}:{kind}": kind for kind, group in KINDS.items()}
LEVELS = {
    Severity.ERROR: (EnforcementLevel.MANDATORY, PolicySeverity.HIGH),
    Severity.WARNING: (EnforcementLevel.ADVISORY, PolicySeverity.MEDIUM),
    Severity.NOTE: (EnforcementLevel.ADVISORY, PolicySeverity.LOW),
}


@dataclass(frozen=True)
class PlannedWorkload(KnownWorkload):
    """A workload of a program."""

    resource: str
    """Its name in Pulumi. The one in Kubernetes, and its namespace, may not be known yet."""
    urn: str
    provider: str
    """URN of its provider: namespaces of different clusters may have one name."""

    @property
    @override
    def ref(self) -> str:
        return f"{self.kind} {self.resource}"

    @property
    @override
    def namespace(self) -> str:
        return f"{super().namespace} of {self.provider}"


def policies() -> list[Policy]:
    """One for each defect, by its name: errors are mandatory, all else is advisory, unless the user configures it.

    What is wrong between workloads has a policy of its own, as Pulumi tells what is in a stack only at its end.
    """
    return [*map(policy, check_template), *map(policy_between, check_templates)]


def policy(check: Check[[Workload]]) -> Policy:
    """The policy that no workload has a defect."""

    def validate(resource: ResourceValidationArgs, report: ReportViolation) -> None:
        for workload in planned(resource):
            for finding in check(workload):
                report(message(finding), None)

    level, severity = LEVELS[check.defect.severity]
    return ResourceValidationPolicy(check.defect.name, check.defect.why, validate, level, severity=severity)


def policy_between(check: Check[[Workload, Sequence[Workload]]]) -> Policy:
    """The policy that no two workloads of a stack have a defect together."""

    def validate(stack: StackValidationArgs, report: ReportViolation) -> None:
        every = [workload for resource in stack.resources for workload in planned(resource)]
        for index, workload in enumerate(every):
            for finding in check(workload, every[:index]):
                report(message(finding), workload.urn)

    level, severity = LEVELS[check.defect.severity]
    name = f"{check.defect.name}-between-workloads"
    return StackValidationPolicy(name, check.defect.why, validate, level, severity=severity)


def message(finding: Finding) -> str:
    """What Pulumi prints below the policy's description. It names the resource itself."""
    return redacted(f"{finding.what}\nDo: {finding.do}\nSee: {finding.source}")


def planned(resource: ResourceValidationArgs | PolicyResource) -> Iterator[PlannedWorkload]:
    """The resource, if it is a workload that runs Tailscale, as far as that is known."""
    if resource.resource_type not in TYPES:
        return
    manifest = known({**plain(resource.props), "kind": TYPES[resource.resource_type]})
    for workload in workloads([manifest], KINDS):
        provider = resource.provider.urn if resource.provider else ""
        yield PlannedWorkload(workload.manifest, resource.name, resource.urn, provider)


def plain(value: object) -> Any:
    """What the SDK shows of a resource as JSON, with UNKNOWN where it would raise an error. Numbers come as floats."""
    if isinstance(value, Mapping):
        return {key: found for key in value if (found := _item(value, key)) is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, index) for index in range(len(value))]
    return whole_number(value)


def _item(parent: Any, key: str | int) -> Any:
    try:
        return plain(parent[key])
    except UnknownValueError:
        return ANY_IMAGE if key == "image" else UNKNOWN
