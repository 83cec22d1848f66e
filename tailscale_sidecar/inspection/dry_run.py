"""What the API server says of one pod of a plan: asked by a dry run, which every admission plugin and webhook answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from ..clients.errors import ClusterError
from ..clients.kubernetes import Cluster
from ..pod.objects import Json
from ..report.findings import Gap, quoted
from .deployment_plan import Plan

ANSWERS = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)
"""Statuses that are a word on the pod; any other is one on the cluster."""
NO_ACCOUNT = "error looking up service account"
"""Said by the admission plugin ServiceAccount (k8s.io/kubernetes@v1.37.2 plugin/pkg/admission/serviceaccount)."""
BY_ACCOUNT = "security context constraint"
"""Said by OpenShift, where it depends on the ServiceAccount what a pod may have."""
NOT_ASKED = {
    NO_ACCOUNT: "its ServiceAccount is not there yet, and the namespace's own, default, is not there or may use less",
    'cannot create resource "pods"': "you may not create pods there",
    "does not support dry run": "a webhook takes no dry runs",
}
"""Refusals of the question, and not of the pod, with what they mean. That of a webhook is from before Kubernetes 1.22
(k8s.io/apiserver@v0.37.2 pkg/admission/plugin/webhook/errors/statuserror.go)."""
MISSING_CLASS = re.compile(
    r'RuntimeClass "(?P<runtime>[^"]+)" not found|no PriorityClass with name (?P<priority>\S+) was found'
)


@dataclass(frozen=True)
class Verdict:
    """What the API server said of a pod."""

    pod: Json | None = None
    """As it would be made; None where it would not."""
    refusal: str = ""
    """Why it would not."""


def verdict(cluster: Cluster, plan: Plan, gaps: list[Gap]) -> Verdict | None:
    """What the API server says of one of the plan's pods; None where it cannot be asked, which is a gap."""
    if plan.pod is None:
        return None
    try:
        return Verdict(pod=asked(cluster, plan, plan.pod))
    except ClusterError as error:
        said = str(error)
        why = why_not_asked(error, plan)
    if why:
        gaps.append(
            Gap(
                what=f"whether the API server takes a pod of {plan.ref}",
                why=f"not checked: {why}",
                do="run this again when it is there, or as somebody who may create pods",
                optional=True,
            )
        )
        return None
    return Verdict(refusal=said.partition(" ")[2])


def asked(cluster: Cluster, plan: Plan, pod: Json) -> Json:
    """The pod as the API server would make it; with the namespace's own ServiceAccount where its own is not there yet.

    Raises:
        ClusterError: It would not.
    """
    try:
        return cluster.would_make(pod, plan.namespace)
    except ClusterError as error:
        if NO_ACCOUNT not in str(error):
            raise
        without_account = error
    try:
        return cluster.would_make({**pod, "spec": {**pod["spec"], "serviceAccountName": "default"}}, plan.namespace)
    except ClusterError as error:
        if BY_ACCOUNT in str(error):
            raise without_account from None
        raise


def why_not_asked(error: ClusterError, plan: Plan) -> str:
    """Why an error says nothing about the pod; nothing where it does."""
    said = str(error)
    if error.status == HTTPStatus.NOT_FOUND:
        return "its namespace is not there yet"
    missing = MISSING_CLASS.search(said)
    if missing and (missing["runtime"] or missing["priority"]) in plan.makes:
        return f"the program makes {missing['runtime'] or missing['priority']}, which is not there yet"
    known = next((why for words, why in NOT_ASKED.items() if words in said), "")
    return known or ("" if error.status in ANSWERS else quoted(said))
