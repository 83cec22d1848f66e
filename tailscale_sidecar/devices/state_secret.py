"""What a replica's state Secret says about its device, as containerboot and tailscaled write it.

Sources: tailscale.com@v1.102.5 kube/kubetypes/types.go and cmd/containerboot/kube.go for the keys of containerboot,
ipn/store.go and ipn/prefs.go for those of tailscaled.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass
from typing import Self

from ..clients import extras
from ..pod.objects import Json


@dataclass(frozen=True, kw_only=True)
class StateSecret:
    """What may be known of a state Secret: nothing that is secret."""

    name: str
    """That of the replica's pod."""
    has_identity: bool
    """Whether tailscaled has saved keys in it."""
    device_id: str = ""
    """The device's stable ID; empty before the replica's first login."""
    fqdn: str = ""
    """The device's name in MagicDNS, without a dot at the end."""
    addresses: tuple[str, ...] = ()
    """On the tailnet; none where the Secret has no list of addresses."""

    @classmethod
    def of(cls, secret: Json) -> Self:
        """Reads a Secret as the API server has it."""
        data = secret.get("data") or {}
        return cls(
            name=secret["metadata"]["name"],
            has_identity="_current-profile" in data and any(key.startswith("profile-") for key in data),
            device_id=_text(secret, "device_id"),
            fqdn=_text(secret, "device_fqdn").rstrip("."),
            addresses=_addresses(_text(secret, "device_ips")),
        )


def public_keys(secret: Json) -> frozenset[str]:
    """The node key and the machine key, as the API shows them; empty if tailscaled has never run with this state.

    tailscaled has the machine key before its first login, and the node key after it.

    Raises:
        ValueError: The Secret is not as tailscaled writes it.
        ExtraMissingError: The extra `devices` is not installed.
    """
    profile = json.loads(_text(secret, _text(secret, "_current-profile")) or "{}")
    private = {
        "nodekey": (profile.get("Config") or {}).get("PrivateNodeKey"),
        "mkey": _text(secret, "_machinekey"),
    }
    return frozenset(f"{kind}:{_public(key)}" for kind, key in private.items() if key and set(key[8:]) != {"0"})


def _text(secret: Json, key: str) -> str:
    """A value; empty where the Secret has none."""
    return base64.b64decode((secret.get("data") or {}).get(key, "")).decode(errors="replace")


def _addresses(recorded: str) -> tuple[str, ...]:
    """The addresses of a JSON list. What anything else means is not guessed at."""
    try:
        return tuple(str(ipaddress.ip_address(str(address))) for address in json.loads(recorded))
    except (ValueError, TypeError):
        return ()


def _public(private: str) -> str:
    """The public half, in hexadecimal digits, of a key that is written `privkey:<hexadecimal digits>` (types/key)."""
    with extras.DEVICES.needed_for("device_cleanup"):
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415

    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(private.removeprefix("privkey:")))
    return key.public_key().public_bytes_raw().hex()
