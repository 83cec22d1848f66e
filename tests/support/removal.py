"""A cluster and a tailnet from which a replica goes."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from tailscale_sidecar.clients.kubernetes import Cluster
from tailscale_sidecar.devices.state_secret import public_keys
from tests.support.tailnet_server import TailnetServer

POD = "db-1"
WITH_SIDECAR: dict[str, Any] = {"spec": {"initContainers": [{"name": "tailscale"}], "containers": [{"name": "db"}]}}
"""A pod, or a template of pods."""


def state_secret(node: str = "", machine: str = "", **recorded: str) -> dict[str, Any]:
    """A state Secret, whose private keys are these hexadecimal digits, 64 times."""
    profile = json.dumps({"Config": {"PrivateNodeKey": f"privkey:{node * 64}"}}) if node else ""
    data = {"_machinekey": f"privkey:{machine * 64}" if machine else "", "profile-1": profile, **recorded}
    if node:
        data["_current-profile"] = "profile-1"
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items() if value}
    return {"metadata": {"name": POD}, "data": encoded}


def device(device_id: str, *, node: str = "", machine: str = "") -> dict[str, Any]:
    """The device that has the public halves of these keys, as the API shows it."""
    keys = {key.partition(":")[0]: key for key in public_keys(state_secret(node, machine))}
    shown = {"nodeKey": keys.get("nodekey", "nodekey:0"), "machineKey": keys.get("mkey", "mkey:0")}
    return {"nodeId": device_id, "hostname": POD, "name": f"{POD}.example.ts.net", **shown}


@dataclass
class FakeCluster(Cluster):
    """A namespace as a dict."""

    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    @override
    def find(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return self.objects.get((kind, name))


def left(tailnet: TailnetServer) -> list[str]:
    return [device["nodeId"] for device in tailnet.devices]
