"""Checks of credentials, and of RBAC: whether a sidecar can log in and use its state Secret."""

from __future__ import annotations

from collections.abc import Iterator

from ..clients.rbac import allows, binds, given, rights, service_account
from ..inspection.snapshot import Snapshot
from ..inspection.workload import Workload
from ..pod.objects import Json
from ..report.findings import GUIDE, Defect, Severity
from .logs import RBAC_MISSING
from .registry import Seen, check_workload
from .template.login import keeps_its_device

NEEDED = ("get", "update")
"""Verbs without which containerboot refuses to start (tailscale.com@v1.102.5 kube/kubeclient/client.go:389)."""


@check_workload(RBAC_MISSING)
def state_secret_not_allowed(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    """State Secrets that the Roles of a workload's ServiceAccount do not cover.

    Only where all its rights come from Roles of the namespace: what a ClusterRole gives is not looked at.
    """
    rules = rules_of(snapshot, workload)
    if workload.state.kind != "secret" or rules is None:
        return
    for pod in workload.pod_names or [""]:
        secret = workload.state_secret(pod)
        missing = [verb for verb in NEEDED if not allows(rules, verb, "secrets", name=secret)]
        if secret and missing:
            yield Seen(
                f"No Role allows its ServiceAccount {' and '.join(missing)} on Secret {secret}.",
                {"secret": secret},
                at=f"Pod {workload.namespace}/{pod}" if pod else "",
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


CREDENTIAL_MISSING = Defect(
    name="credential-missing",
    severity=Severity.ERROR,
    why="Pods that need it do not start.",
    do="Create the Secret {secret} with the key {key}.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)


@check_workload(CREDENTIAL_MISSING)
def credential_missing(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    for credential in snapshot.credentials.get(workload.ref, ()):
        if not credential.exists:
            what = f"Secret {credential.secret} has no key {credential.key}, or does not exist."
            yield Seen(what, {"secret": credential.secret, "key": credential.key})


CREDENTIAL_EPHEMERAL = Defect(
    name="credential-registers-ephemeral",
    severity=Severity.WARNING,
    why="An OAuth client's devices are ephemeral unless told otherwise: the tailnet deletes one that is away for a while.",
    do="Append ?ephemeral=false&preauthorized=true to the client secret in Secret {secret}.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)


@check_workload(CREDENTIAL_EPHEMERAL)
def credential_ephemeral(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    if workload.is_component or not keeps_its_device(workload):
        return
    for credential in snapshot.credentials.get(workload.ref, ()):
        kept = credential.attributes.get("ephemeral", "true") != "true"
        if credential.exists and credential.kind == "tskey-client" and not kept:
            what = f"The client secret in Secret {credential.secret} has no ephemeral=false."
            yield Seen(what, {"secret": credential.secret})
