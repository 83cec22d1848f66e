"""The component on a Headscale."""

from __future__ import annotations

from typing import Any

from tailscale_sidecar import AuthKey, InPodSplitDns
from tests.lab.headscale_server import DOMAIN, Headscale


def arguments(headscale: Headscale, **changes: Any) -> dict[str, Any]:
    """The component's arguments that another control plane takes, with changes."""
    auth = AuthKey(auth_key=headscale.auth_key(reusable=True))
    return {"auth": auth, "tags": [], "dns": InPodSplitDns(tailnet_domains=[DOMAIN]), **changes}
