"""Who may do what: rules of Roles, and the bindings that give them, as the API server reads them.

Source: kubernetes@v1.35.4 pkg/apis/rbac/v1/evaluation_helpers.go and plugin/pkg/auth/authorizer/rbac/rbac.go.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..pod.objects import Json

ALL = "*"
"""Stands for every verb, API group or resource."""
Rights = dict[tuple[str, str], list[Json]]
"""Rules, by kind (`Role` or `ClusterRole`) and name of what has them."""


def allows(rules: Iterable[Json], verb: str, resource: str, *, group: str = "", name: str = "") -> bool:
    """Whether rules allow a verb on an object of a resource; without a name, on each of them."""
    return any(
        {verb, ALL} & set(rule.get("verbs") or ())
        and {group, ALL} & set(rule.get("apiGroups") or ())
        and {resource, ALL} & set(rule.get("resources") or ())
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
        for rule in rules
    )


def service_account(pod_spec: Json) -> str:
    """The ServiceAccount of a pod."""
    return str(pod_spec.get("serviceAccountName") or pod_spec.get("serviceAccount") or "default")


def binds(binding: Json, account: str, namespace: str) -> bool:
    """Whether a binding gives a ServiceAccount its rights in that account's namespace."""
    where = binding["metadata"].get("namespace", "")  # a ClusterRoleBinding has none, and holds everywhere
    return where in ("", namespace) and any(
        is_for(subject, account, namespace, where) for subject in binding.get("subjects") or ()
    )


def is_for(subject: Json, account: str, namespace: str, where: str) -> bool:
    """Whether a subject of a binding in the namespace `where` is a ServiceAccount, or a group that it is in."""
    name = subject.get("name")
    if subject.get("kind") == "ServiceAccount":
        return (name, subject.get("namespace") or where) == (account, namespace)
    if subject.get("kind") == "User":
        return name == f"system:serviceaccount:{namespace}:{account}"
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return subject.get("kind") == "Group" and name in groups


def rights(roles: Iterable[Json]) -> Rights:
    """The rules of Roles of one namespace and of ClusterRoles."""
    return {(role["kind"], role["metadata"]["name"]): role.get("rules") or [] for role in roles}


def given(binding: Json, known: Rights) -> list[Json] | None:
    """The rules that a binding gives; None where what it refers to is not known."""
    return known.get((binding["roleRef"]["kind"], binding["roleRef"]["name"]))
