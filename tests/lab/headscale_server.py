"""A Headscale in the lab's network: another control plane than Tailscale's, as released."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from typing_extensions import override

from . import binaries, cgroups, components, lab, namespace, processes
from .processes import Process
from .settings import DISKS, IPV4, RUN, STATE
from .shell import LabError, locked, run, wait_for
from .tailnet_client import Device, Tailnet

NAME = "headscale"
FOLDER = STATE / NAME
LISTEN = f"{IPV4.node}:8085"
DOMAIN = "headscale.test"
"""Its base domain, below which the nodes have their names."""
USER = "lab"


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
    """A Headscale for as long as the block lasts, with nothing of an earlier one. There is one at a time."""
    with locked(RUN / "headscale.lock", "uses Headscale"):
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
    processes.start(NAME, cgroups.CONTROL, namespace.command(words("serve")), {})
    wait_for("Headscale to be ready", is_ready)


def is_ready() -> bool:
    """Whether it answers."""
    process = Process.recorded(NAME)
    if process is None or not process.runs():
        raise LabError(f"Headscale ended:\n{lab.last_words(NAME)}")
    return lab.answers(f"http://{LISTEN}/health")


def stop() -> None:
    """Stops it."""
    if process := Process.recorded(NAME):
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
    port = json.loads((DISKS / "tailnet/state.json").read_text())["DERPPort"]
    values = {"folder": FOLDER, "url": f"http://{LISTEN}", "listen": LISTEN, "domain": DOMAIN, "port": port}
    (FOLDER / "headscale.yaml").write_text(components.filled("headscale.yaml", **values))
    (FOLDER / "derp.yaml").write_text(components.filled("headscale-derp.yaml", **values))


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
