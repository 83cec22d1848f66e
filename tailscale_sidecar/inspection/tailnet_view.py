"""The tailnet as the person at the command line can see it: by Tailscale's API, or by the tailscaled of their machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from ..findings import Gap
from .tailnet import Tailnet, from_status
from .tailscale_api import HOW, TailscaleApi, TailscaleApiError

SECONDS = 10
"""For each call of the local `tailscale`."""
HOW_TO_SEE = f"{HOW}; or run this on a machine of the tailnet that has the tailscale command"
SCOPES = {"DNS settings": "dns:read", "tag owners": "policy_file:read"}


def by_api(environment: Mapping[str, str] = os.environ) -> tuple[Tailnet | None, list[Gap]]:
    """What Tailscale's API knows, if the environment has a credential for it."""
    try:
        api = TailscaleApi.from_environment(environment)
        if api is None:
            return None, []
        tailnet, missing = api.look()
    except TailscaleApiError as error:
        return None, [Gap(what="the tailnet by Tailscale's API", why=str(error), do=HOW)]
    gaps = [
        Gap(what=part, why=why, do=f"give the credential the scope {SCOPES[part]}", optional=True)
        for part, why in missing.items()
    ]
    return tailnet, gaps


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
