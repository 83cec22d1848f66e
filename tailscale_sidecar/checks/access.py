"""Checks of RBAC: whether a sidecar may use its state Secret."""

from __future__ import annotations

from collections.abc import Iterator

from ..clients.rbac import allows, binds, given, rights, service_account
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
            missing = [verb for verb in NEEDED if not allows(rules, verb, "secrets", name=secret)]
            if secret and missing:
                yield RBAC_MISSING.found(
                    f"Pod {workload.namespace}/{pod}" if pod else workload.ref,
                    f"No Role allows its ServiceAccount {' and '.join(missing)} on Secret {secret}.",
                    secret=secret,
                )


def rules_of(snapshot: Snapshot, workload: Workload) -> list[Json] | None:
    """The rules that Roles give a workload's ServiceAccount; None where they are not all there is to know."""
    listed = snapshot.roles.get(workload.namespace)
    if listed is None:
        return None
    account, known = service_account(workload.pod_spec), rights(listed)
    own = [binding for binding in snapshot.role_bindings if binds(binding, account, workload.namespace)]
    if not own or any(binding["roleRef"]["kind"] != "Role" for binding in own):
        return None
    return [rule for binding in own for rule in given(binding, known) or ()]


CHECKS = (state_secrets,)
