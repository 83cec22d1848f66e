"""The manifest of Tailscale's guide, step 6, as it is but for the lab's images and control plane.

https://tailscale.com/docs/solutions/connect-kubernetes-pods-to-tailnet-using-sidecar
"""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from tailscale_sidecar import ClusterDns
from tests.cluster.deployment import Deployment
from tests.lab.images import TAILSCALE_IMAGE

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
        account = {"kind": "ServiceAccount", "name": self.name}
        role = {"kind": "Role", "name": self.name, "apiGroup": "rbac.authorization.k8s.io"}
        rbac = "rbac.authorization.k8s.io/v1"
        meta = {"metadata": {"name": self.name}}
        auth = self.arguments["auth"]
        # The lab's secrets have an attribute already: where the API is.
        secret = {
            "TS_CLIENT_ID": auth.client_id,
            "TS_CLIENT_SECRET": f"{auth.client_secret}&ephemeral=false&preauthorized=true",
        }
        return [
            {"apiVersion": "v1", "kind": "ServiceAccount", **meta},
            {"apiVersion": rbac, "kind": "Role", **meta, "rules": RULES},
            {"apiVersion": rbac, "kind": "RoleBinding", **meta, "subjects": [account], "roleRef": role},
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{self.name}-oauth"}, "stringData": secret},
            {"apiVersion": "apps/v1", "kind": "StatefulSet", **meta, "spec": self._stateful_set()},
        ]

    def _stateful_set(self) -> dict[str, Any]:
        labels = {"app": self.name}
        return {
            "replicas": self.replicas,
            "serviceName": self.name,
            "podManagementPolicy": self.arguments.get("pod_management_policy", "OrderedReady"),
            "updateStrategy": self.arguments.get("update_strategy", {"type": "RollingUpdate"}),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": self._pod()},
        }

    def _pod(self) -> dict[str, Any]:
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
            "env": self._environment(),
            "ports": [{"name": "metrics", "containerPort": 9002}],
            "resources": self.arguments.get("resources", {}),
            "securityContext": {"privileged": True},
        }
        user = self.arguments["pod_spec"]
        return {
            **user,
            "serviceAccountName": self.name,
            "initContainers": [sysctl, *user.get("initContainers", ())],
            "containers": [sidecar, *user["containers"]],
        }

    def _environment(self) -> list[dict[str, Any]]:
        values = {
            "TS_KUBE_SECRET": "$(POD_NAME)",
            "TS_HOSTNAME": f"{self.arguments['hostname']}-0" if "hostname" in self.arguments else "$(POD_NAME)",
            "TS_USERSPACE": "false",
            "TS_ACCEPT_DNS": str(not isinstance(self.arguments["dns"], ClusterDns)).lower(),
            "TS_EXTRA_ARGS": " ".join(self._flags()),
            "TS_ENABLE_METRICS": "true",
            "TS_LOCAL_ADDR_PORT": "0.0.0.0:9002",
            **({"TS_ROUTES": ",".join(routes)} if (routes := self.arguments.get("advertise_routes")) else {}),
            **self.arguments["env"],
        }
        fields = {"POD_NAME": "metadata.name", "POD_UID": "metadata.uid"}
        keys = ("TS_CLIENT_ID", "TS_CLIENT_SECRET")
        return [
            *({"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()),
            *({"name": key, "valueFrom": {"secretKeyRef": {"name": f"{self.name}-oauth", "key": key}}} for key in keys),
            *({"name": key, "value": value} for key, value in values.items()),
        ]

    def _flags(self) -> list[str]:
        return [
            f"--advertise-tags={','.join(self.arguments['tags'])}",
            *(f"--{flag.replace('_', '-')}" for flag in SWITCHES if self.arguments.get(flag)),
            f"--login-server={self.arguments['login_server']}",
        ]
