"""Tailscale's API, read only: what it knows of the tailnet, with a credential from the environment."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from .._additions import Json
from .tailnet import EXIT_ROUTES, Device, Tailnet, TailnetDns, time

TIMEOUT = 15
"""Seconds for each request."""
DEFAULT_URL = "https://api.tailscale.com"
HOW = (
    "set TS_API_KEY, or TS_API_CLIENT_ID and TS_API_CLIENT_SECRET of an OAuth client with the scopes devices:core:read, "
    "devices:routes:read, dns:read and policy_file:read"
)


class TailscaleApiError(Exception):
    """The API cannot be reached, or does not allow a request."""


@dataclass(frozen=True)
class TailscaleApi:
    """A client of the API."""

    url: str
    tailnet: str
    authorization: str

    def __repr__(self) -> str:
        return f"TailscaleApi({self.url!r})"  # the rest is secret

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> TailscaleApi | None:
        """A client with the credential that the environment has; None without one.

        TS_API_KEY, or TS_API_CLIENT_ID and TS_API_CLIENT_SECRET; TS_BASE_URL and TS_TAILNET for others than the
        defaults, which are Tailscale's own API and the credential's own tailnet.

        Raises:
            TailscaleApiError: The OAuth client's credential gets no token.
        """
        url = environment.get("TS_BASE_URL", DEFAULT_URL).rstrip("/")
        tailnet = environment.get("TS_TAILNET", "-")
        key = environment.get("TS_API_KEY")
        client = environment.get("TS_API_CLIENT_ID", ""), environment.get("TS_API_CLIENT_SECRET", "")
        if key:
            return TailscaleApi(url, tailnet, f"Bearer {key}")
        if not all(client):
            return None
        basic = base64.b64encode(":".join(client).encode()).decode()
        form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
        answer = request(f"{url}/api/v2/oauth/token", f"Basic {basic}", form)
        return TailscaleApi(url, tailnet, f"Bearer {answer['access_token']}")

    def get(self, path: str) -> Any:
        """Asks for something of the tailnet.

        Raises:
            TailscaleApiError: It does not answer, or refuses.
        """
        return request(f"{self.url}/api/v2/tailnet/{self.tailnet}/{path}", self.authorization)

    def look(self) -> tuple[Tailnet, dict[str, str]]:
        """The tailnet, and why parts of it could not be seen, by part.

        Raises:
            TailscaleApiError: Not even its devices can be listed.
        """
        devices = tuple(device_from_api(found) for found in self.get("devices?fields=all")["devices"])
        missing: dict[str, str] = {}

        def part(name: str, *paths: str) -> list[Any] | None:
            try:
                return [self.get(path) for path in paths]
            except TailscaleApiError as error:
                missing[name] = str(error)
                return None

        dns = part("DNS settings", "dns/nameservers", "dns/split-dns", "dns/preferences")
        policy = part("tag owners", "acl")
        return (
            Tailnet(
                source="Tailscale's API",
                devices=devices,
                complete=True,
                dns=dns_from_api(*dns) if dns else None,
                tag_owners={tag: tuple(owners) for tag, owners in (policy[0].get("tagOwners") or {}).items()}
                if policy
                else None,
                lock=True if any(device.lock_error for device in devices) else None,
            ),
            missing,
        )


def request(url: str, authorization: str, form: bytes | None = None) -> Any:
    """One request; returns the JSON that it is answered with. Errors name the path and never the credential."""
    headers = {"Authorization": authorization, "Accept": "application/json"}
    where = urllib.parse.urlsplit(url).path
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise TailscaleApiError("TS_BASE_URL must be a URL such as https://api.tailscale.com")
    made = urllib.request.Request(url, data=form, headers=headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(made, timeout=TIMEOUT) as response:  # noqa: S310 - checked above
            return json.load(response)
    except urllib.error.HTTPError as error:
        error.close()
        raise TailscaleApiError(f"{where}: {error.code} {HTTPStatus(error.code).phrase}") from None
    except (OSError, ValueError) as error:
        raise TailscaleApiError(f"{where}: {error}") from None


def device_from_api(found: Json) -> Device:
    """A device as `GET /api/v2/tailnet/-/devices?fields=all` has it."""
    enabled = found.get("enabledRoutes") or ()
    offered = found.get("advertisedRoutes") or ()
    online = found.get("connectedToControl")
    return Device(
        id=str(found.get("nodeId", "")),
        name=str(found.get("name", "")).rstrip("."),
        hostname=str(found.get("hostname", "")),
        addresses=tuple(found.get("addresses") or ()),
        tags=tuple(found.get("tags") or ()),
        online=None if online is None else bool(online),
        last_seen=None if online else time(found.get("lastSeen")),
        expires=None if found.get("keyExpiryDisabled") else time(found.get("expires")),
        ephemeral=found.get("isEphemeral"),
        authorized=bool(found.get("authorized", True)),
        # A route is in force where it is both advertised and approved.
        routes=tuple(route for route in enabled if route in offered and route not in EXIT_ROUTES),
        offered_routes=tuple(route for route in offered if route not in enabled and route not in EXIT_ROUTES),
        exit_node=any(route in enabled and route in offered for route in EXIT_ROUTES),
        version=str(found.get("clientVersion", "")).removeprefix("v").partition("-")[0],
        node_key=str(found.get("nodeKey", "")),
        lock_error=str(found.get("tailnetLockError", "")),
    )


def dns_from_api(nameservers: Json, split: Json, preferences: Json) -> TailnetDns:
    """The tailnet's DNS from the answers of `dns/nameservers`, `dns/split-dns` and `dns/preferences`."""
    return TailnetDns(
        nameservers=tuple(nameservers.get("dns") or ()),
        split={domain: tuple(servers or ()) for domain, servers in split.items()},
        magic_dns=bool(preferences.get("magicDNS")),
    )
