"""People with few rights on the lab: a ServiceAccount with a kubeconfig of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.support.deployment import Workspace


def kubeconfig_for(workspace: Workspace, name: str, rules: list[dict[str, Any]], folder: Path) -> Path:
    """The kubeconfig of somebody who has these rules, and nothing else, in the whole cluster."""
    role = f"{workspace.namespace}-{name}"
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": role}
    workspace.apply(
        [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": workspace.namespace}],
            },
        ]
    )
    config = yaml.safe_load(workspace.lab.kubeconfig.read_text(encoding="utf-8"))
    config["users"] = [{"name": name, "user": {"token": workspace.kubectl("create", "token", name).strip()}}]
    config["contexts"][0]["context"]["user"] = name
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path
