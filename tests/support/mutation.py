"""What some webhooks do to pods on their way in, done by the API server itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.shell import wait_for
from tests.support.deployment import APP, Workspace

PROBE = {**APP, "name": "probe", "restartPolicy": "Always"}
"""A native sidecar, by which it is seen whether the policy is in force."""


@contextmanager
def dropping_restart_policy(workspace: Workspace) -> Iterator[None]:
    """Takes `restartPolicy` from each init container of the namespace's new pods."""
    name = workspace.namespace
    every = "has(object.spec.initContainers) ? object.spec.initContainers : []"
    remove = 'JSONPatch{op: "remove", path: "/spec/initContainers/" + string(i) + "/restartPolicy"}'
    dropped = (
        f"[0, 1, 2].filter(i, i < size({every}) && has(object.spec.initContainers[i].restartPolicy)).map(i, {remove})"
    )
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": [rule]},
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": dropped}}],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    kind, version = "MutatingAdmissionPolicy", {"apiVersion": "admissionregistration.k8s.io/v1"}
    workspace.apply(
        [
            {**version, "kind": kind, "metadata": {"name": name}, "spec": policy},
            {
                **version,
                "kind": f"{kind}Binding",
                "metadata": {"name": name},
                "spec": {"policyName": name, "matchResources": here},
            },
        ]
    )
    try:
        wait_for("the policy to be in force", lambda: is_dropped(workspace))
        yield
    finally:
        workspace.kubectl("delete", f"{kind},{kind}Binding", name)


def is_dropped(workspace: Workspace) -> bool:
    """Whether a new pod loses it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe"},
        "spec": {"initContainers": [PROBE], "containers": [APP]},
    }
    made = workspace.kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=json.dumps(pod))
    return "restartPolicy" not in json.loads(made)["spec"]["initContainers"][0]
