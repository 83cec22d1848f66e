"""Who may do what: the same answers as the API server's."""

from __future__ import annotations

from typing import Any

import pytest

from tailscale_sidecar.clients.rbac import allows, binds, given, rights, service_account

Json = dict[str, Any]
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        ({}, True),
        ({"verbs": ["*"]}, True),
        ({"apiGroups": ["*"]}, True),
        ({"resources": ["*"]}, True),
        ({"resourceNames": ["my-app-0"]}, True),
        ({"resourceNames": []}, True),
        ({"resourceNames": None}, True),
        ({"verbs": ["list"]}, False),
        ({"verbs": None}, False),
        ({"apiGroups": ["apps"]}, False),
        ({"resources": ["secrets/status"]}, False),
        ({"resources": ["configmaps"]}, False),
        ({"resourceNames": ["my-app-1"]}, False),
    ],
)
def test_a_rule_allows_what_it_names(rule: Json, is_allowed: bool) -> None:
    assert allows([{**SECRETS, **rule}], "get", "secrets", name="my-app-0") is is_allowed


def test_a_rule_for_one_object_does_not_allow_all() -> None:
    assert not allows([{**SECRETS, "resourceNames": ["my-app-0"]}], "get", "secrets")
    assert allows([SECRETS], "get", "secrets")


def binding(kind: str = "ServiceAccount", name: str = "app", *, of: str = "", namespace: str = "db") -> Json:
    """A RoleBinding of a namespace, or without one a ClusterRoleBinding; `of` is its subject's namespace."""
    subject = {"kind": kind, "name": name, **({"namespace": of} if of else {})}
    metadata = {"name": "a", **({"namespace": namespace} if namespace else {})}
    return {"metadata": metadata, "subjects": [subject], "roleRef": {"kind": "Role", "name": "a"}}


@pytest.mark.parametrize(
    ("made", "is_bound"),
    [
        (binding(), True),
        (binding(of="db"), True),
        (binding(of="web"), False),
        (binding(name="other"), False),
        (binding(of="db", namespace="web"), False),
        (binding(of="db", namespace=""), True),
        (binding(of="web", namespace=""), False),
        (binding("User", "system:serviceaccount:db:app"), True),
        (binding("User", "app"), False),
        (binding("Group", "system:serviceaccounts"), True),
        (binding("Group", "system:serviceaccounts:db"), True),
        (binding("Group", "system:serviceaccounts:web"), False),
        (binding("Group", "system:masters"), False),
        ({**binding(), "subjects": None}, False),
    ],
)
def test_a_binding_is_for_its_subjects_in_its_namespace(made: Json, is_bound: bool) -> None:
    assert binds(made, "app", "db") is is_bound


def test_a_role_and_a_cluster_role_of_one_name_are_two() -> None:
    known = rights([{"kind": "Role", "metadata": {"name": "a"}, "rules": [SECRETS]}])
    assert given(binding(), known) == [SECRETS]
    assert given({**binding(), "roleRef": {"kind": "ClusterRole", "name": "a"}}, known) is None


@pytest.mark.parametrize(
    ("pod_spec", "account"),
    [({}, "default"), ({"serviceAccountName": "app"}, "app"), ({"serviceAccount": "app"}, "app")],
)
def test_a_pod_without_a_service_account_has_the_default(pod_spec: Json, account: str) -> None:
    assert service_account(pod_spec) == account
