"""Rights of the ServiceAccount: those that are the sidecar's, the app's own, and those that nobody needs any more."""

from __future__ import annotations

from ..clients import rbac
from ..inspection.workload import Workload, for_pod
from ..pod.objects import Json
from .found import Found

BINDINGS = {"RoleBinding": "its namespace", "ClusterRoleBinding": "every namespace"}
VERBS = ("get", "list", "watch", "update", "patch", "delete")
"""Each of these, on all Secrets, is more than a sidecar needs."""
OF_SIDECARS = {
    "secrets": {"get", "create", "update", "patch"},
    "events": {"get", "create", "patch"},
}
"""What Tailscale's guides and manifests allow a sidecar (tailscale.com@v1.102.5 docs/k8s/role.yaml)."""


def bindings(found: Found) -> list[tuple[str, Json, list[Json] | None]]:
    """The bindings of the pods' ServiceAccount, each with its kind and rules; None where the rules are not known."""
    known = rbac.rights([*found.all_of("Role"), *found.all_of("ClusterRole")])
    account = rbac.service_account(found.workload.pod_spec)
    return [
        (kind, binding, rbac.given(binding, known))
        for kind in BINDINGS
        for binding in found.all_of(kind)
        if rbac.binds(binding, account, found.workload.namespace)
    ]


def too_wide(found: Found) -> list[str]:
    """Bindings, beside the component's own, that let the ServiceAccount use all Secrets, each with what to do."""
    account = rbac.service_account(found.workload.pod_spec)
    return [
        f"{kind} {binding['metadata']['name']} lets ServiceAccount {account} use all Secrets of {BINDINGS[kind]}, which "
        "the sidecar does not need: take that away if nothing else needs it."
        for kind, binding, rules in bindings(found)
        if (kind, binding["metadata"]["name"]) != ("RoleBinding", found.name) or not is_sidecars_role(found)
        if any(rbac.allows(rules or (), verb, "secrets") for verb in VERBS)
    ]


def gives_the_app_rights(found: Found) -> bool:
    """Whether the pods' ServiceAccount has rights that no sidecar needs: those are the app's, which asks the API."""
    return any(
        not all(is_sidecars(rule, found.workload) for rule in rules or ())
        for _, binding, rules in bindings(found)
        if is_for_the_account(binding)
    )


def is_for_the_account(binding: Json) -> bool:
    """Whether a binding is for ServiceAccounts by name, and not for all that log in."""
    return any(subject.get("kind") != "Group" for subject in binding.get("subjects") or ())


def is_sidecars(rule: Json, workload: Workload) -> bool:
    """Whether a rule allows no more than what a sidecar does."""
    secrets = {for_pod(workload.state.name, pod) for pod in workload.pod_names or [workload.name]}
    return (
        set(rule.get("apiGroups") or ()) <= {""}
        and all(
            resource in OF_SIDECARS and set(rule.get("verbs") or ()) <= OF_SIDECARS[resource]
            for resource in rule.get("resources") or ("",)
        )
        and set(rule.get("resourceNames") or ()) <= secrets
    )


def is_sidecars_role(found: Found) -> bool:
    """Whether the Role and the RoleBinding that have the component's name, as far as they are there, are the sidecar's.

    They are if they allow no more than a sidecar does, its own ServiceAccount, and nobody else by another binding.
    """
    role, binding = (found.find(kind, found.name) for kind in ("Role", "RoleBinding"))
    account = rbac.service_account(found.workload.pod_spec)
    if role is not None and not all(is_sidecars(rule, found.workload) for rule in role.get("rules") or ()):
        return False
    if binding is not None:
        subjects = binding.get("subjects") or []
        is_own = len(subjects) == 1 and rbac.binds(
            {**binding, "metadata": {"namespace": found.workload.namespace}}, account, found.workload.namespace
        )
        if not is_own or (binding["roleRef"]["kind"], binding["roleRef"]["name"]) != ("Role", found.name):
            return False
    return role is None or not any(
        (other["roleRef"]["kind"], other["roleRef"]["name"]) == ("Role", found.name)
        for other in found.all_of("RoleBinding")
        if other["metadata"]["name"] != found.name
    )
