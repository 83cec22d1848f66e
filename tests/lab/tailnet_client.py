"""A client of the lab's control plane: what tests ask of it and make it do."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .settings import TAILNET_URL
from .shell import wait_for


@dataclass(frozen=True)
class Device:
    """A device of the tailnet, as the control plane knows it."""

    id: str
    """Stable ID, as containerboot writes it to the state Secret."""
    hostname: str
    fqdn: str
    node_key: str
    addresses: tuple[str, ...]
    tags: tuple[str, ...]
    ephemeral: bool
    preauthorized: bool
    online: bool
    advertised_routes: tuple[str, ...]
    logins: int
    """How often it used a credential."""


@dataclass(frozen=True)
class Tailnet:
    """The lab's tailnet. Call it from inside the lab's network."""

    url: str = TAILNET_URL

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request of the admin API; returns what it answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            return json.load(response)

    def devices(self, prefix: str = "") -> list[Device]:
        """The devices whose host names start with `prefix`, by name."""
        found = [device(answer) for answer in self.call("GET", "/lab/devices")]
        return sorted((d for d in found if d.hostname.startswith(prefix)), key=lambda d: d.fqdn)

    def device(self, hostname: str) -> Device:
        """The one device of that host name."""
        (found,) = [d for d in self.devices() if d.hostname == hostname]
        return found

    def await_devices(self, prefix: str, count: int, seconds: float = 60) -> list[Device]:
        """Waits until exactly `count` devices of that prefix are online."""
        wait_for(
            lambda: f"{count} devices {prefix}* online; there are {self.devices(prefix)}",
            lambda: [d.online for d in self.devices(prefix)] == [True] * count,
            seconds,
        )
        return self.devices(prefix)

    def oauth_client(
        self, tags: Sequence[str] = ("tag:k8s",), scopes: Sequence[str] = ("auth_keys",)
    ) -> tuple[str, str]:
        """Makes an OAuth client; returns its ID and its secret, which names the lab as the API to use."""
        made = self.call("POST", "/lab/oauth-clients", {"scopes": list(scopes), "tags": list(tags)})
        return made["client_id"], f"{made['client_secret']}?baseURL={self.url}"

    def auth_key(self, **capabilities: Any) -> str:
        """Makes an auth key with the capabilities of the real API (`reusable`, `ephemeral`, `tags`, ...)."""
        return str(self.call("POST", "/lab/auth-keys", capabilities)["key"])

    def credentials_of(self, client_id: str) -> dict[str, str]:
        """The valid credentials that an OAuth client made, tokens apart: each one's ID and kind."""
        found = self.call("GET", "/lab/credentials")
        own = [c for c in found if c.get("owner") == client_id and not c.get("invalid")]
        return {c["id"]: c["keyType"] for c in own if c["keyType"] != "token"}

    def requests(self, path: str = "/") -> list[dict[str, Any]]:
        """All requests whose path starts with `path`, in order."""
        return [r for r in self.call("GET", "/lab/requests") if r["path"].startswith(path)]

    def credential_requests(self) -> list[dict[str, Any]]:
        """The requests for tokens and keys."""
        return self.requests("/api/v2/oauth") + self.requests("/api/v2/tailnet/-/keys")

    @contextmanager
    def fault(self, **fault: Any) -> Iterator[None]:
        """Makes trouble (see tailnet/faults.go) for as long as the block lasts."""
        made = self.call("POST", "/lab/faults", fault)
        try:
            yield
        finally:
            self.call("DELETE", f"/lab/faults/{made['id']}")

    @contextmanager
    def router(self, hostname: str, routes: Sequence[str]) -> Iterator[None]:
        """Adds a device that advertises routes, with nobody behind it."""
        made = self.call("POST", "/lab/routers", {"hostname": hostname, "routes": list(routes), "online": True})
        try:
            yield
        finally:
            self.call("DELETE", f"/lab/routers/{made['nodeId']}")


def device(answer: dict[str, Any]) -> Device:
    """Reads a device from the admin API's answer."""
    return Device(
        id=answer["nodeId"],
        hostname=answer["hostname"],
        fqdn=answer["fqdn"],
        node_key=answer["nodeKey"],
        addresses=tuple(answer["addresses"]),
        tags=tuple(answer.get("tags") or ()),
        ephemeral=answer["isEphemeral"],
        preauthorized=answer["preauthorized"],
        online=answer["online"],
        advertised_routes=tuple(answer.get("advertisedRoutes") or ()),
        logins=answer["logins"],
    )
