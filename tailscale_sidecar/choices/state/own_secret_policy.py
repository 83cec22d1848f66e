"""The admission policy of `SecretState(access="guarded")`: a pod writes its own or its node's state Secret, and no other."""

from __future__ import annotations

import pulumi

from ...pod.additions import Surroundings
from ...pod.model import Input
from ...pod.objects import Json

# Kubernetes puts the pod's name into the token that it mounts in the pod, and its node's since 1.30, and so into every
# request's user info:
# kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
POD_NAME = "authentication.kubernetes.io/pod-name"
NODE_NAME = "authentication.kubernetes.io/node-name"


def spec(user: Input[str], pod: Surroundings) -> Json:
    """The policy's `spec`. `user` is the ServiceAccount's user name, `system:serviceaccount:<namespace>:<name>`."""
    owner, said, prefix = ("node", NODE_NAME, f"'{pod.name}-' + ") if pod.owner == "node" else ("pod", POD_NAME, "")
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}
            ]
        },
        "matchConditions": [{"name": "sidecar", "expression": _equals_user(user)}],
        "validations": [
            {
                "expression": f"'{said}' in request.userInfo.extra "
                f"&& {prefix}request.userInfo.extra['{said}'][0] == object.metadata.name",
                "message": f"a sidecar may write only the state Secret that is named like its own {owner}",
            },
            {
                # Of other types, a service-account-token Secret would be filled with a token of any account.
                "expression": "!has(object.type) || object.type == 'Opaque'",
                "message": "a state Secret must be of type Opaque",
            },
        ],
    }


def _equals_user(user: Input[str]) -> Input[str]:
    return pulumi.Output.concat("request.userInfo.username == '", user, "'")
