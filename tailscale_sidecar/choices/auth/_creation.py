"""Pulumi's provider for Tailscale: the extra `tailscale`, which only what makes things on the tailnet imports."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...pod import rules

SCOPES = ["auth_keys"]
"""What a replica's credential may do: mint an auth key, and nothing else."""
MAX_DESCRIPTION = 50
"""Length of a credential's description (resource_oauth_client.go:60 of terraform-provider-tailscale 0.29.2)."""


def checked_tags(tags: Sequence[str]) -> list[str]:
    """Tags for a credential, which needs at least one: without, a device would belong to a person, and expire."""
    if isinstance(tags, str) or not tags:
        raise ValueError("tags is required, as a list such as ['tag:k8s']")
    return list(rules.tags(tuple(tags)))


def description(name: str) -> str:
    """What the admin console shows of a credential: its name in Pulumi, in the characters that Tailscale takes."""
    return re.sub(r"[^A-Za-z0-9 -]", "-", name)[:MAX_DESCRIPTION]
