"""Checks of RBAC: whether a sidecar may use its state Secret."""

from __future__ import annotations

from collections.abc import Iterator

from ..inspection.snapshot import Snapshot
from ..inspection.workload import Workload
from ..pod.objects import Json
from ..report.findings import Finding
from .logs import RBAC_MISSING

NEEDED = ("get", "update")
"""Verbs without which containerboot refuses to start (tailscale.com@v1.102.5 kube/kubeclient/client.go:389)."""


def state_secrets(snapshot: Snapshot) -> Iterator[Finding]:
    """State Secrets that the Roles of a workload's ServiceAccount do not cover.

    Only where all its rights come from Roles of the namespace: what a ClusterRole gives is not looked at.
    """
    for workload in snapshot.workloads:
        rules = rules_of(snapshot, workload)
        if workload.state.kind != "secret" or rules is None:
            continue
        for pod in workload.pod_names or [""]:
            secret = workload.state_secret(pod)
            missing = [verb for verb in NEEDED if not allows(rules, verb, secret)]
            if secret and missing:
                yield RBAC_MISSING.found(
                    f"Pod {workload.namespace}/{pod}" if pod else workload.ref,
                    f"No Role allows its ServiceAccount {' and '.join(missing)} on Secret {secret}.",
                    secret=secret,
                )


def rules_of(snapshot: Snapshot, workload: Workload) -> list[Json] | None:
    """The rules that Roles give a workload's ServiceAccount; None where they are not all there is to know."""
    account = workload.pod_spec.get("serviceAccountName", "default")
    listed = snapshot.roles.get(workload.namespace)
    if listed is None:
        return None
    roles = {role["metadata"]["name"]: role.get("rules") or [] for role in listed}
    own = [binding for binding in snapshot.role_bindings if binds(binding, account, workload.namespace)]
    if not own or any(binding["roleRef"]["kind"] != "Role" for binding in own):
        return None
    return [rule for binding in own for rule in roles.get(binding["roleRef"]["name"], [])]


def binds(binding: Json, account: str, namespace: str) -> bool:
    """Whether a RoleBinding of a namespace is for a ServiceAccount of it."""
    return binding["metadata"]["namespace"] == namespace and any(
        subject["kind"] == "ServiceAccount"
        and subject["name"] == account
        and subject.get("namespace", namespace) == namespace
        for subject in binding.get("subjects") or ()
    )


def allows(rules: list[Json], verb: str, secret: str) -> bool:
    """Whether rules of a Role allow a verb on a Secret."""
    return any(
        {"", "*"} & set(rule.get("apiGroups") or ())
        and {"secrets", "*"} & set(rule.get("resources") or ())
        and {verb, "*"} & set(rule.get("verbs") or ())
        and (not rule.get("resourceNames") or secret in rule["resourceNames"])
        for rule in rules
    )


CHECKS = (state_secrets,)
