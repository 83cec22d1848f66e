from __future__ import annotations

from typing import Any

import pulumi


@pulumi.output_type
class Device(dict[str, Any]):
    """A replica's device on the tailnet.

    It is a dict too, so that it can be exported, and given to other resources, as a whole or by its keys.
    """

    def __init__(self, *, pod: str, device_id: str, fqdn: str, ipv4: str | None, ipv6: str | None) -> None:
        super().__init__(pod=pod, device_id=device_id, fqdn=fqdn, ipv4=ipv4, ipv6=ipv6)

    @property
    @pulumi.getter
    def pod(self) -> str:
        """Name of the replica's pod."""
        return str(self["pod"])

    @property
    @pulumi.getter
    def device_id(self) -> str:
        """The device's stable ID, by which Tailscale's API knows it (`nodeId`)."""
        return str(self["device_id"])

    @property
    @pulumi.getter
    def fqdn(self) -> str:
        """The device's name in MagicDNS, without a dot at the end."""
        return str(self["fqdn"])

    @property
    @pulumi.getter
    def ipv4(self) -> str | None:
        """The device's IPv4 address on the tailnet; None where the tailnet gives out none."""
        address: str | None = self["ipv4"]
        return address

    @property
    @pulumi.getter
    def ipv6(self) -> str | None:
        """The device's IPv6 address on the tailnet; None where the tailnet gives out none."""
        address: str | None = self["ipv6"]
        return address
