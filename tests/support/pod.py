"""A pod as a user sees it, made from arguments by plain functions, with what the kubelet does to its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailscale_sidecar.component import pod_template
from tests.support.arguments import arguments

NAME = "db"
AUTH_SECRET = "db-auth"


@dataclass(frozen=True)
class Pod:
    """A StatefulSet's spec, and the pods that it makes."""

    stateful_set: dict[str, Any]

    @property
    def template(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stateful_set["template"]
        return found

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.template["spec"]
        return found

    @property
    def containers(self) -> dict[str, dict[str, Any]]:
        """All containers by name, in the order in which Kubernetes starts them."""
        return {c["name"]: c for c in (*self.spec.get("initContainers", ()), *self.spec["containers"])}

    @property
    def sidecar(self) -> dict[str, Any]:
        return self.containers["tailscale"]

    @property
    def volumes(self) -> dict[str, dict[str, Any]]:
        return {volume["name"]: volume for volume in self.spec.get("volumes", ())}

    @property
    def claims(self) -> dict[str, dict[str, Any]]:
        return {claim["metadata"]["name"]: claim for claim in self.stateful_set.get("volumeClaimTemplates", ())}

    @property
    def flags(self) -> dict[str, str]:
        """The flags of `tailscale up` with their values."""
        words = (word.removeprefix("--").partition("=") for word in self.env()["TS_EXTRA_ARGS"].split())
        return {flag: value for flag, _, value in words}

    def env(self, container: str = "tailscale", *, ordinal: int = 0, addresses: str = "10.244.0.7") -> dict[str, str]:
        """What a process in the container finds in its environment."""
        fields = {
            "metadata.name": f"{NAME}-{ordinal}",
            "metadata.uid": "5ca1ab1e",
            "metadata.labels['apps.kubernetes.io/pod-index']": str(ordinal),
            "status.podIP": addresses.partition(",")[0],
            "status.podIPs": addresses,
            "status.hostIPs": "10.0.0.1",
        }
        env: dict[str, str] = {}
        for variable in self.containers[container].get("env", ()):
            if "value" in variable:
                env[variable["name"]] = expanded(variable["value"], env)
            else:
                env[variable["name"]] = fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        return env

    def mounts(self, container: str = "tailscale") -> dict[str, dict[str, Any]]:
        """The container's volume mounts by path."""
        return {mount["mountPath"]: mount for mount in self.containers[container].get("volumeMounts", ())}

    def mount_of(self, path: str) -> dict[str, Any]:
        """The sidecar's volume mount that a path is in."""
        return next(mount for parent, mount in self.mounts().items() if path == parent or path.startswith(f"{parent}/"))

    def mounted(self, container: str, source: str) -> list[str]:
        """Paths at which the container sees a volume of this kind, such as `secret`."""
        return [path for path, m in self.mounts(container).items() if source in self.volumes.get(m["name"], {})]


def pod(**changes: Any) -> Pod:
    """The pod of the least arguments, with changes."""
    args = arguments(**changes)
    return Pod(pod_template.stateful_set_spec(pod_template.surroundings(NAME, args, AUTH_SECRET), args))


def expanded(text: str, env: Mapping[str, str]) -> str:
    """What Kubernetes makes of `$(NAME)` and `$$` in commands, arguments and variables
    (k8s.io/kubernetes@v1.35.4 third_party/forked/golang/expansion/expand.go)."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return env.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replace, text)
