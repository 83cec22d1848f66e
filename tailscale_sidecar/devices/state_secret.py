"""What a replica's state Secret says about its device, as containerboot and tailscaled write it."""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..clients import extras
from ..pod.objects import Json
from .device import Device


@dataclass(frozen=True)
class ReplicaState:
    """The contents of one state Secret. It has private keys in it, so it is not shown."""

    pod: str
    _data: Mapping[str, str]

    @classmethod
    def of(cls, secret: Json) -> Self:
        """Reads a Secret as the API server has it."""
        data = secret.get("data") or {}
        return cls(
            secret["metadata"]["name"],
            {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()},
        )

    def __repr__(self) -> str:
        return f"ReplicaState({self.pod!r})"

    @property
    def device_id(self) -> str | None:
        """The device's stable ID; None before the replica's first login."""
        return self._data.get("device_id")

    def device(self) -> Device | None:
        """The device; None until containerboot has recorded all of it (tailscale.com@v1.102.5 cmd/containerboot/kube.go)."""
        if not all(self._data.get(key) for key in ("device_id", "device_fqdn", "device_ips")):
            return None
        addresses = [ipaddress.ip_address(address) for address in json.loads(self._data["device_ips"])]
        by_version = {address.version: str(address) for address in addresses}
        return Device(
            pod=self.pod,
            device_id=self._data["device_id"],
            fqdn=self._data["device_fqdn"].rstrip("."),
            ipv4=by_version.get(4),
            ipv6=by_version.get(6),
        )

    def public_keys(self) -> frozenset[str]:
        """The node key and the machine key, as the API shows them; empty if tailscaled has never run with this state.

        tailscaled has the machine key before its first login, and the node key after it (ipn/store.go, ipn/prefs.go).
        """
        profile = json.loads(self._data.get(self._data.get("_current-profile", ""), "{}"))
        private = {
            "nodekey": (profile.get("Config") or {}).get("PrivateNodeKey"),
            "mkey": self._data.get("_machinekey"),
        }
        return frozenset(f"{kind}:{_public(key)}" for kind, key in private.items() if key and set(key[8:]) != {"0"})

    def owns(self, device: Mapping[str, Any]) -> bool:
        """Whether a device of the API's is the one whose private keys are in this state."""
        return bool({device.get("nodeKey"), device.get("machineKey")} & self.public_keys())


def _public(private: str) -> str:
    """The public half, in hexadecimal digits, of a key that is written `privkey:<hexadecimal digits>` (types/key)."""
    with extras.DEVICES.needed_for("device_cleanup"):
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415

    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(private.removeprefix("privkey:")))
    return key.public_key().public_bytes_raw().hex()
