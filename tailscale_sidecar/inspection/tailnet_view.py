"""The tailnet as the person at the command line can see it: by Tailscale's API, or by the tailscaled of their machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from ..clients.errors import TailscaleApiError
from ..clients.tailscale import TAILSCALE_API, TailscaleApi
from ..report.findings import Gap
from .tailnet import Tailnet, device_from_api, dns_from_api, from_status

SECONDS = 10
"""For each call of the local `tailscale`."""
HOW = (
    "set TS_API_KEY, or TS_API_CLIENT_ID and TS_API_CLIENT_SECRET of an OAuth client with the scopes devices:core:read, "
    "devices:routes:read, dns:read and policy_file:read"
)
HOW_TO_SEE = f"{HOW}; or run this on a machine of the tailnet that has the tailscale command"
SCOPES = {"DNS settings": "dns:read", "tag owners": "policy_file:read"}


class Api(TailscaleApi):
    """The API for somebody who waits at the command line: one attempt, for there is much else to look at."""

    answer_seconds = 15
    pauses = ()


def by_api(environment: Mapping[str, str] = os.environ) -> tuple[Tailnet | None, list[Gap]]:
    """What Tailscale's API knows, if the environment has a credential for it.

    TS_API_KEY, or TS_API_CLIENT_ID and TS_API_CLIENT_SECRET; TS_BASE_URL and TS_TAILNET for others than the defaults,
    which are Tailscale's own API and the credential's own tailnet.
    """
    try:
        api = api_of(environment)
        if api is None:
            return None, []
        tailnet, missing = look(api, environment.get("TS_TAILNET", "-"))
    except TailscaleApiError as error:
        return None, [Gap(what="the tailnet by Tailscale's API", why=str(error), do=HOW)]
    gaps = [
        Gap(what=part, why=why, do=f"give the credential the scope {SCOPES[part]}", optional=True)
        for part, why in missing.items()
    ]
    return tailnet, gaps


def api_of(environment: Mapping[str, str]) -> Api | None:
    """The API with the credential that the environment has; None without one.

    Raises:
        TailscaleApiError: TS_BASE_URL is no URL.
    """
    url = environment.get("TS_BASE_URL", TAILSCALE_API).rstrip("/")
    key = environment.get("TS_API_KEY")
    client_id, client_secret = environment.get("TS_API_CLIENT_ID"), environment.get("TS_API_CLIENT_SECRET")
    if not key and not (client_id and client_secret):
        return None
    if not url.startswith(("http://", "https://")):
        raise TailscaleApiError(f"TS_BASE_URL must be a URL such as {TAILSCALE_API}")
    return Api(url, access_token=key) if key else Api(url, client_id=client_id or "", client_secret=client_secret)


def look(api: TailscaleApi, tailnet: str) -> tuple[Tailnet, dict[str, str]]:
    """A tailnet, and why parts of it could not be seen, by part.

    Raises:
        TailscaleApiError: Not even its devices can be listed.
    """
    root = f"/api/v2/tailnet/{tailnet}"
    devices = tuple(device_from_api(found) for found in api.get(f"{root}/devices?fields=all")["devices"])
    missing: dict[str, str] = {}

    def part(name: str, *paths: str) -> list[Any] | None:
        try:
            return [api.get(f"{root}/{path}") for path in paths]
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


def by_local_tailscale() -> Tailnet | None:
    """What this machine's own tailscaled knows; None where there is none, or it is not connected."""
    status = local("status", "--json")
    if not status or status.get("BackendState") != "Running":
        return None
    lock = local("lock", "status", "--json")
    enabled = (lock or {}).get("Enabled")
    return from_status(status, "this machine's tailscale", local("dns", "status", "--json"), lock=enabled)


def local(*arguments: str) -> dict[str, Any] | None:
    """The JSON that the local `tailscale` prints."""
    program = shutil.which("tailscale")
    if program is None:
        return None
    try:
        done = subprocess.run([program, *arguments], capture_output=True, timeout=SECONDS, check=True)  # noqa: S603 - fixed words
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return found
