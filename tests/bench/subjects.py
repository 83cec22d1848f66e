"""What is measured: the guide's manifest and the component in each DNS mode, each with one replica."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailscale_sidecar import (
    ClusterDns,
    InPodSplitDns,
    OAuthClient,
    SplitDns,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)
from tailscale_sidecar.dns import Dns
from tailscale_sidecar.render import plain, record
from tests.cluster.deployment import APP, QUIET, Workspace
from tests.lab import LabError
from tests.lab.shell import wait_for

from . import guide

CLUSTER_NAME = "kubernetes.default.svc.cluster.local"
CLUSTER_CIDRS = ["10.244.0.0/16", "10.96.0.0/16", "10.200.0.0/24", "fd00:10:244::/64", "fd00:10:96::/112"]


@dataclass
class Subject:
    """One way to run a sidecar, deployed in a workspace."""

    label: str
    workspace: Workspace
    dns: Dns | None
    """None: the guide's manifest."""
    name: str = field(default_factory=lambda: f"bench-{secrets.token_hex(2)}")
    client_id: str = ""

    @property
    def pod(self) -> str:
        """Name of the one replica."""
        return f"{self.name}-0"

    @property
    def magic_name(self) -> str:
        """The replica's name on the tailnet."""
        return f"{self.pod}.lab.ts.net"

    def deploy(self) -> None:
        """Applies the objects, with no replica yet."""
        self.client_id, secret = self.workspace.tailnet.oauth_client()
        # The app says when it can look up what the mode serves.
        names = CLUSTER_NAME if isinstance(self.dns, ClusterDns) else f"{CLUSTER_NAME} {self.magic_name}"
        ready = f"until resolve-musl {names} >/dev/null 2>&1; do sleep 0.05; done; cut -d ' ' -f 1 /proc/uptime >/www/ready; app"
        app = {**APP, "command": ["sh", "-c", ready]}
        objects = self._objects(app, secret)
        (stateful_set,) = [found for found in objects if found["kind"] == "StatefulSet"]
        stateful_set["spec"]["replicas"] = 0
        self.workspace.apply(objects)

    def _objects(self, app: dict[str, Any], secret: str) -> list[dict[str, Any]]:
        url = self.workspace.tailnet.url
        if self.dns is None:
            return guide.objects(self.name, app, secret, url)
        args = TailscaleSidecarStatefulSetArgs(
            pod_spec={"containers": [app], "terminationGracePeriodSeconds": 5},
            auth=OAuthClient(client_secret=secret),
            tags=["tag:k8s"],
            dns=self.dns,
            namespace=self.workspace.namespace,
            login_server=url,
            accept_routes=True,
            cluster_cidrs=CLUSTER_CIDRS,
            env=QUIET,
        )
        found = record(lambda: TailscaleSidecarStatefulSet(self.name, args), namespace=self.workspace.namespace)
        return [plain(item, show_secrets=True) for item in found]

    def start(self) -> float:
        """Starts the replica; returns the seconds until the app's look-ups work."""
        began = uptime()
        self.scale(1)
        wait_for(f"{self.label} to look names up", self._is_ready, 120)
        return float(self.exec("cat", "/www/ready")) - began

    def _is_ready(self) -> bool:
        try:
            return bool(self.exec("cat", "/www/ready"))
        except LabError:
            return False

    def stop(self) -> None:
        """Ends the replica and waits until its pod is gone."""
        self.scale(0)
        self.workspace.kubectl("wait", f"pod/{self.pod}", "--for=delete", "--timeout=60s")

    def scale(self, replicas: int) -> None:
        """Sets the number of replicas."""
        self.workspace.kubectl("scale", f"statefulset/{self.name}", f"--replicas={replicas}")

    def exec(self, *command: str, container: str = "app") -> str:
        """Runs a command in a container of the replica."""
        return self.workspace.kubectl("exec", self.pod, f"--container={container}", "--", *command)

    def api_calls(self) -> int:
        """Requests for tokens and keys so far."""
        return len([r for r in self.workspace.tailnet.credential_requests() if r.get("client") == self.client_id])

    def usage(self) -> dict[str, tuple[int, int]]:
        """Of each container but the app: memory (working set, bytes) and CPU used so far (nanoseconds)."""
        summary = json.loads(self.workspace.lab.kubectl("get", "--raw", "/api/v1/nodes/lab/proxy/stats/summary"))
        (pod,) = [p for p in summary["pods"] if p["podRef"]["name"] == self.pod]
        return {
            c["name"]: (c["memory"]["workingSetBytes"], c["cpu"]["usageCoreNanoSeconds"])
            for c in pod["containers"]
            if c["name"] != "app" and c.get("memory", {}).get("workingSetBytes")
        }

    def look_ups(self, name: str, seconds: int) -> tuple[int, int]:
        """Looks a name up about four times a second in the app; returns how many failed, of how many."""
        look = f"timeout 5 resolve-musl {name} >/dev/null 2>&1; echo $?; sleep 0.25"
        loop = f"end=$(($(date +%s) + {seconds})); while [ $(date +%s) -lt $end ]; do {look}; done"
        codes = self.exec("sh", "-c", loop).split()
        return len([code for code in codes if code != "0"]), len(codes)


def uptime() -> float:
    """Seconds since the machine started: a clock that is the same in every container."""
    return float(Path("/proc/uptime").read_text().split()[0])


def subjects(workspace: Workspace) -> list[Subject]:
    """All that are measured; the guide's manifest, which the others are compared with, first."""
    return [
        Subject("guide", workspace, None),
        Subject("InPodSplitDns", workspace, InPodSplitDns()),
        Subject("SplitDns", workspace, SplitDns()),
        Subject("ClusterDns", workspace, ClusterDns()),
    ]
