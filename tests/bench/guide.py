"""The manifest of Tailscale's guide, step 6, as it is but for the lab's images and control plane.

https://tailscale.com/docs/solutions/connect-kubernetes-pods-to-tailnet-using-sidecar
"""

from __future__ import annotations

from typing import Any

from tests.lab.images import TAILSCALE_IMAGE

RULES = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "patch"]}]
SYSCTL = """\
sysctl -w net.ipv4.ip_forward=1
if sysctl net.ipv6.conf.all.forwarding 2>/dev/null; then
  sysctl -w net.ipv6.conf.all.forwarding=1
fi
"""


def objects(name: str, app: dict[str, Any], client_secret: str, login_server: str) -> list[dict[str, Any]]:
    """The guide's objects around one app container."""
    account = {"kind": "ServiceAccount", "name": name}
    role = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    rbac = "rbac.authorization.k8s.io/v1"
    meta = {"metadata": {"name": name}}
    secret = {"TS_CLIENT_ID": "unused", "TS_CLIENT_SECRET": f"{client_secret}&ephemeral=false&preauthorized=true"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **meta},
        {"apiVersion": rbac, "kind": "Role", **meta, "rules": RULES},
        {"apiVersion": rbac, "kind": "RoleBinding", **meta, "subjects": [account], "roleRef": role},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-oauth"}, "stringData": secret},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", **meta, "spec": stateful_set(name, app, login_server)},
    ]


def stateful_set(name: str, app: dict[str, Any], login_server: str) -> dict[str, Any]:
    """The guide's StatefulSet."""
    sysctl = {
        "name": "sysctl",
        "image": TAILSCALE_IMAGE,
        "command": ["/bin/sh", "-c"],
        "args": [SYSCTL],
        "securityContext": {"privileged": True},
    }
    sidecar = {
        "name": "tailscale",
        "image": TAILSCALE_IMAGE,
        "env": environment(name, login_server),
        "ports": [{"name": "metrics", "containerPort": 9002}],
        "securityContext": {"privileged": True},
    }
    pod = {"serviceAccountName": name, "initContainers": [sysctl], "containers": [sidecar, app]}
    return {
        "replicas": 1,
        "serviceName": name,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {**pod, "terminationGracePeriodSeconds": 5}},
    }


def environment(name: str, login_server: str) -> list[dict[str, Any]]:
    """The guide's variables for the sidecar."""
    values = {
        "TS_KUBE_SECRET": "$(POD_NAME)",
        "TS_HOSTNAME": "$(POD_NAME)",
        "TS_USERSPACE": "false",
        "TS_ACCEPT_DNS": "true",
        "TS_EXTRA_ARGS": f"--advertise-tags=tag:k8s --accept-routes --login-server={login_server}",
        "TS_ENABLE_METRICS": "true",
        "TS_LOCAL_ADDR_PORT": "0.0.0.0:9002",
        "TS_NO_LOGS_NO_SUPPORT": "true",
    }
    fields = {"POD_NAME": "metadata.name", "POD_UID": "metadata.uid"}
    keys = ("TS_CLIENT_ID", "TS_CLIENT_SECRET")
    return [
        *({"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()),
        *({"name": key, "valueFrom": {"secretKeyRef": {"name": f"{name}-oauth", "key": key}}} for key in keys),
        *({"name": key, "value": value} for key, value in values.items()),
    ]
