"""The manifest of Tailscale's guide, step 6, as it is but for the lab's images and control plane.

https://tailscale.com/docs/solutions/connect-kubernetes-pods-to-tailnet-using-sidecar
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from tailscale_sidecar import ClusterDns
from tests.lab.images import TAILSCALE_IMAGE
from tests.support.deployment import Deployment

RULES = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "patch"]}]
SWITCHES = ("accept_routes", "advertise_exit_node", "shields_up")
SYSCTL = """\
sysctl -w net.ipv4.ip_forward=1
if sysctl net.ipv6.conf.all.forwarding 2>/dev/null; then
  sysctl -w net.ipv6.conf.all.forwarding=1
fi
"""


class Guide(Deployment):
    """The guide's objects, from the arguments that the component takes: each is written where the guide has it."""

    health_path: ClassVar[str] = "/metrics"  # the guide has no /healthz

    @property
    @override
    def objects(self) -> list[dict[str, Any]]:
        return objects(self.name, self.arguments)


def objects(name: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The guide's objects."""
    account = {"kind": "ServiceAccount", "name": name}
    role = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    rbac = "rbac.authorization.k8s.io/v1"
    meta = {"metadata": {"name": name}}
    auth = arguments["auth"]
    # The lab's secrets have an attribute already: where the API is.
    secret = {
        "TS_CLIENT_ID": auth.client_id,
        "TS_CLIENT_SECRET": f"{auth.client_secret}&ephemeral=false&preauthorized=true",
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **meta},
        {"apiVersion": rbac, "kind": "Role", **meta, "rules": RULES},
        {"apiVersion": rbac, "kind": "RoleBinding", **meta, "subjects": [account], "roleRef": role},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-oauth"}, "stringData": secret},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", **meta, "spec": stateful_set(name, arguments)},
    ]


def stateful_set(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The guide's StatefulSet."""
    labels = {"app": name}
    return {
        "replicas": arguments.get("replicas", 1),
        "serviceName": name,
        "podManagementPolicy": arguments.get("pod_management_policy", "OrderedReady"),
        "updateStrategy": arguments.get("update_strategy", {"type": "RollingUpdate"}),
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod(name, arguments)},
    }


def pod(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The pod of step 6."""
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
        "env": environment(name, arguments),
        "ports": [{"name": "metrics", "containerPort": 9002}],
        "resources": arguments.get("resources", {}),
        "securityContext": {"privileged": True},
    }
    user = copy.deepcopy(arguments["pod_spec"])  # tests change what they get
    return {
        **user,
        "serviceAccountName": name,
        "initContainers": [sysctl, *user.get("initContainers", ())],
        "containers": [sidecar, *user["containers"]],
    }


def environment(name: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sidecar's variables."""
    values = {
        "TS_KUBE_SECRET": "$(POD_NAME)",
        "TS_HOSTNAME": f"{arguments['hostname']}-0" if "hostname" in arguments else "$(POD_NAME)",
        "TS_USERSPACE": "false",
        "TS_ACCEPT_DNS": str(not isinstance(arguments["dns"], ClusterDns)).lower(),
        "TS_EXTRA_ARGS": " ".join(flags(arguments)),
        "TS_ENABLE_METRICS": "true",
        "TS_LOCAL_ADDR_PORT": "0.0.0.0:9002",
        **({"TS_ROUTES": ",".join(routes)} if (routes := arguments.get("advertise_routes")) else {}),
        **arguments["env"],
    }
    fields = {"POD_NAME": "metadata.name", "POD_UID": "metadata.uid"}
    keys = ("TS_CLIENT_ID", "TS_CLIENT_SECRET")
    return [
        *({"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()),
        *({"name": key, "valueFrom": {"secretKeyRef": {"name": f"{name}-oauth", "key": key}}} for key in keys),
        *({"name": key, "value": value} for key, value in values.items()),
    ]


def flags(arguments: Mapping[str, Any]) -> list[str]:
    """The flags of `tailscale up`."""
    return [
        f"--advertise-tags={','.join(arguments['tags'])}",
        *(f"--{flag.replace('_', '-')}" for flag in SWITCHES if arguments.get(flag)),
        f"--login-server={arguments['login_server']}",
    ]
