"""Rights that the sidecar no longer needs: by hand, many a ServiceAccount may use every Secret."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..clients import rbac
from ..clients.errors import ClusterError
from ..inspection.workload import Workload
from ..pod.objects import Json

BINDINGS = {"RoleBinding": "its namespace", "ClusterRoleBinding": "every namespace"}
VERBS = ("get", "list", "watch", "update", "patch", "delete")
"""Each of these, on all Secrets, is more than a sidecar needs."""
List = Callable[[str, str | None], list[Json]]
"""All objects of a kind, of a namespace or of all."""


def too_wide(workload: Workload, listed: List) -> list[str]:
    """Bindings, beside the component's own, that let the ServiceAccount use all Secrets, each with what to do."""
    found: dict[str, list[Json]] = {}
    for kind in (*BINDINGS, "Role", "ClusterRole"):
        with suppress(ClusterError):  # who may not read them is not told
            found[kind] = listed(kind, None if kind.startswith("Cluster") else workload.namespace)
    known = rbac.rights([*found.get("Role", ()), *found.get("ClusterRole", ())])
    account = rbac.service_account(workload.pod_spec)
    return [
        f"{kind} {binding['metadata']['name']} lets ServiceAccount {account} use all Secrets of {where}, which the "
        "sidecar does not need: take that away if nothing else needs it."
        for kind, where in BINDINGS.items()
        for binding in found.get(kind, ())
        if (kind, binding["metadata"]["name"]) != ("RoleBinding", workload.name)
        and rbac.binds(binding, account, workload.namespace)
        and any(rbac.allows(rbac.given(binding, known) or (), verb, "secrets") for verb in VERBS)
    ]
