"""Checks of a plan's pods by what the API server says of one: whether it would make it, and as it was asked to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ..inspection.deployment_plan import Plan
from ..inspection.deployment_target import Ground
from ..pod.asked_resources import of_pod
from ..pod.objects import Json
from ..pod.quantities import amount, total
from ..report.findings import Defect, Severity, quoted
from .pods import NO_RESTART_POLICY, POD_SECURITY, POD_SECURITY_SAYS, STRIPPED_SAYS, stripped
from .registry import Seen, check_plan

FORBIDDING = ("baseline", "restricted")


@check_plan(POD_SECURITY)
def pod_security(ground: Ground, plan: Plan) -> Iterator[Seen]:
    level = ground.namespaces.get(plan.namespace)
    if plan.ref in ground.verdicts:
        yield from refused(ground, plan, POD_SECURITY_SAYS)
    elif plan.is_kernel and level in FORBIDDING:
        yield Seen(f"Namespace {plan.namespace} enforces {level}.")


def refused(ground: Ground, plan: Plan, pattern: str) -> Iterator[Seen]:
    """The API server's refusal, if it is of this kind."""
    refusal = refusal_of(ground, plan)
    if re.search(pattern, refusal):
        yield Seen(quoted(refusal))


def refusal_of(ground: Ground, plan: Plan) -> str:
    """Why the API server would not make a pod of the plan; nothing where it would, or was not asked."""
    return ground.verdicts[plan.ref].refusal if plan.ref in ground.verdicts else ""


def pod_made(ground: Ground, plan: Plan) -> Json | None:
    """A pod of the plan as the API server would make it; None where it would not, or was not asked."""
    return ground.verdicts[plan.ref].pod if plan.ref in ground.verdicts else None


QUOTA_SAYS = r"(failed|exceeded) quota: "
"""k8s.io/apiserver@v0.37.2 pkg/admission/plugin/resourcequota/controller.go."""
QUOTA = Defect(
    name="resource-quota-too-small",
    severity=Severity.ERROR,
    why="A ResourceQuota counts all containers of a pod, the sidecar's too, and may ask each for requests and limits.",
    do="Give `resources` and `dns_resources` what the quota asks for, fewer replicas, or the namespace more.",
    source="https://kubernetes.io/docs/concepts/policy/resource-quotas/",
)


@check_plan(QUOTA)
def quota(ground: Ground, plan: Plan) -> Iterator[Seen]:
    refusals = list(refused(ground, plan, QUOTA_SAYS))
    yield from refusals or too_many(ground, plan)


def too_many(ground: Ground, plan: Plan) -> Iterator[Seen]:
    """Replicas, of those that are not there yet, that are more than a quota has room for."""
    pod = pod_made(ground, plan) or plan.pod  # the API server has filled in a LimitRange's defaults
    more = plan.replicas - ground.deployed.get(plan.ref, 0)
    asked_by_each = counted(pod["spec"]) if pod and more > 0 else {}
    for found in ground.quotas.get(plan.namespace, ()):
        for name, each in asked_by_each.items() if is_for_every_pod(found) else ():
            left, asked = left_of(found, name), each * more
            if left is not None and asked > left:
                room = f"{total([str(left)])} of {name} left"
                pods = f"{more} more replicas ask" if more > 1 else "one more replica asks"
                yield Seen(
                    f"ResourceQuota {found['metadata']['name']} has {room}, and {pods} for {total([str(asked)])}."
                )


def is_for_every_pod(quota: Mapping[str, Any]) -> bool:
    """Whether it counts all pods of lasting workloads that have a request."""
    spec = quota["spec"]
    return not spec.get("scopeSelector") and {*(spec.get("scopes") or ())} <= {"NotTerminating", "NotBestEffort"}


def counted(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a quota counts of a pod, by the names that it has for it."""
    requests, limits = of_pod(spec, "requests"), of_pod(spec, "limits")
    return {
        "pods": Decimal(1),
        "count/pods": Decimal(1),
        **requests,
        **{f"requests.{name}": asked for name, asked in requests.items()},
        **{f"limits.{name}": asked for name, asked in limits.items()},
    }


def left_of(quota: Mapping[str, Any], name: str) -> Decimal | None:
    """How much a quota has left of one thing; None where it does not count that."""
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    return max(Decimal(0), amount(hard[name]) - amount(used.get(name, 0))) if name in hard else None


LIMIT_RANGE_SAYS = r"(minimum|maximum) \S+ usage per |limit to request ratio per "
"""k8s.io/kubernetes@v1.37.2 plugin/pkg/admission/limitranger/admission.go."""
LIMIT_RANGE = Defect(
    name="limit-range-forbids",
    severity=Severity.ERROR,
    why="A LimitRange sets bounds to each container of the namespace, the sidecar's too.",
    do="Give `resources` (container tailscale) and `dns_resources` (tailscale-dns) requests and limits within its bounds.",
    source="https://kubernetes.io/docs/concepts/policy/limit-range/",
)


@check_plan(LIMIT_RANGE)
def limit_range(ground: Ground, plan: Plan) -> Iterator[Seen]:
    return refused(ground, plan, LIMIT_RANGE_SAYS)


REFUSED = Defect(
    name="pod-refused",
    severity=Severity.ERROR,
    why="The API server, or a policy or webhook that judges pods on their way in, would refuse the pods.",
    do="Change what it names, or ask who runs the cluster for an exception.",
    source="https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/",
)
KNOWN = re.compile(f"{POD_SECURITY_SAYS}|{QUOTA_SAYS}|{LIMIT_RANGE_SAYS}|{STRIPPED_SAYS}")


@check_plan(REFUSED)
def refused_otherwise(ground: Ground, plan: Plan) -> Iterator[Seen]:
    refusal = refusal_of(ground, plan)
    if refusal and not KNOWN.search(refusal):
        yield Seen(quoted(refusal))


@check_plan(NO_RESTART_POLICY)
def restart_policy_stripped(ground: Ground, plan: Plan) -> Iterator[Seen]:
    yield from refused(ground, plan, STRIPPED_SAYS)
    made = pod_made(ground, plan)
    if plan.pod and made:
        yield from stripped(plan.pod["spec"], made["spec"].get("initContainers") or ())
