"""A Headscale in the lab's network: another control plane than Tailscale's, as released."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from typing_extensions import override

from . import binaries, cgroups, components, lab, namespace, processes
from .processes import Process
from .settings import IPV4, STATE
from .shell import run, wait_for
from .tailnet_client import Device, Tailnet

FOLDER = STATE / "headscale"
LISTEN = f"{IPV4.node}:8085"
DOMAIN = "headscale.test"
"""Its base domain, below which the nodes have their names."""
USER, TAG = "lab", "tag:k8s"
POLICY = {"tagOwners": {TAG: [f"{USER}@"]}, "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}
"""The user's untagged nodes may ask for the tag; everybody may reach everybody."""


@dataclass(frozen=True)
class Headscale(Tailnet):
    """A client of its API, which shows its nodes as those of the lab's own tailnet are shown."""

    url: str = f"http://{LISTEN}"
    api_key: str = field(default="", repr=False)

    @override
    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.api_key}"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with lab.direct().open(request, timeout=30) as response:
            return json.load(response)

    @override
    def devices(self, prefix: str = "") -> list[Device]:
        found = [device(node) for node in self.nodes()]
        return sorted((d for d in found if d.hostname.startswith(prefix)), key=lambda d: d.fqdn)

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes as its API has them."""
        return list(self.call("GET", "/api/v1/node")["nodes"])

    def delete(self, node_id: str) -> None:
        """Deletes a node."""
        self.call("DELETE", f"/api/v1/node/{node_id}")

    @override
    def auth_key(self, **capabilities: Any) -> str:
        """Makes a pre-auth key with the fields of the real API (`reusable`, `ephemeral`, `aclTags`)."""
        (user,) = self.call("GET", "/api/v1/user")["users"]
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        made = self.call("POST", "/api/v1/preauthkey", {"user": user["id"], "expiration": tomorrow, **capabilities})
        return str(made["preAuthKey"]["key"])


@contextmanager
def headscale() -> Iterator[Headscale]:
    """A Headscale for as long as the block lasts, with nothing of an earlier one."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    write_config()
    try:
        start()
        command("users", "create", USER)
        yield Headscale(api_key=json.loads(command("apikeys", "create", "--output=json")))
    finally:
        stop()


def start() -> None:
    """Starts it with what it knew when it was stopped."""
    processes.start("headscale", cgroups.CONTROL, namespace.command(words("serve")), {})
    wait_for("Headscale to be ready", lambda: lab.answers(f"http://{LISTEN}/health"))


def stop() -> None:
    """Stops it."""
    if process := Process.recorded("headscale"):
        process.stop()


def command(*arguments: str) -> str:
    """Runs a command of its command line, which needs no API key; returns what it prints."""
    return run(words(*arguments))


def words(*arguments: str) -> list[str]:
    """A command line of its program."""
    program = binaries.ensure(binaries.HEADSCALE) / "headscale"
    return [str(program), f"--config={FOLDER}/headscale.yaml", *arguments]


def write_config() -> None:
    """Writes its files. Its nodes use the relay of the lab's own tailnet."""
    port = json.loads((components.DISKS / "tailnet/state.json").read_text())["DERPPort"]
    relay = {
        **{"name": "lab1", "regionid": 900, "hostname": IPV4.node, "ipv4": IPV4.node, "ipv6": "none"},
        **{"derpport": port, "stunport": port, "insecurefortests": True},
    }
    region = {"regionid": 900, "regioncode": "lab", "regionname": "Lab", "nodes": [relay]}
    (FOLDER / "derp.yaml").write_text(json.dumps({"regions": {900: region}}))
    (FOLDER / "policy.json").write_text(json.dumps(POLICY))
    filled = components.filled(
        "headscale.yaml", folder=FOLDER, url=f"http://{LISTEN}", listen=LISTEN, domain=DOMAIN
    )
    (FOLDER / "headscale.yaml").write_text(filled)


def device(node: dict[str, Any]) -> Device:
    """Reads a node of its API."""
    return Device(
        id=node["id"],
        hostname=node["name"],
        fqdn=f"{node['givenName']}.{DOMAIN}",
        node_key=node["nodeKey"],
        addresses=tuple(node["ipAddresses"]),
        tags=tuple(node["tags"]),
        ephemeral=(node["preAuthKey"] or {}).get("ephemeral", False),
        preauthorized=True,
        online=node["online"],
        advertised_routes=tuple(node["availableRoutes"]),
        logins=0,
    )
