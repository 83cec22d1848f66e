"""What can be known of a tailnet from outside: its devices, the routes they advertise, its DNS."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from ..pod.objects import Json

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
EXIT_ROUTES = ("0.0.0.0/0", "::/0")
NEVER_YEAR = 1
"""Go writes a time that is not set as that of the year 1."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device of the tailnet. None: not known from here."""

    id: str
    """Stable ID, as in the state Secret's `device_id`."""
    name: str
    """Its name on the tailnet, with the domain, without a dot at the end."""
    hostname: str
    """What it calls itself. Where two do so, the tailnet appends -1, -2 and so on to the later one's `name`."""
    addresses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    online: bool | None = None
    last_seen: datetime | None = None
    """None also while it is online."""
    expires: datetime | None = None
    """When its key expires; None: never."""
    ephemeral: bool | None = None
    authorized: bool = True
    routes: tuple[str, ...] = ()
    """Subnet routes in force."""
    offered_routes: tuple[str, ...] = ()
    """Subnet routes that it advertises, and that nobody has approved."""
    exit_node: bool = False
    """Whether it may be used as an exit node."""
    version: str = ""
    node_key: str = ""
    lock_error: str = ""
    """Why tailnet lock keeps it out."""

    @property
    def label(self) -> str:
        """The first label of its name."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, kw_only=True)
class TailnetDns:
    """What the tailnet tells its devices to look names up with."""

    nameservers: tuple[str, ...] = ()
    """Global nameservers; without one, each device goes on asking those of its own network."""
    split: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Domains that have nameservers of their own."""
    magic_dns: bool = True

    def nameservers_of(self, domain: str) -> tuple[str, ...] | None:
        """Those of the split DNS route that a domain falls under; None if there is none."""
        routes = {route.strip("."): servers for route, servers in self.split.items()}
        covering = [route for route in routes if f".{domain}".endswith(f".{route}")]
        return routes[max(covering, key=len)] if covering else None


@dataclass(frozen=True, kw_only=True)
class Tailnet:
    """One view of a tailnet."""

    source: str
    """Where it is from, for people."""
    devices: tuple[Device, ...] = ()
    complete: bool = False
    """Whether all devices are in it: a device sees only those that the policy lets it see."""
    dns: TailnetDns | None = None
    tag_owners: Mapping[str, tuple[str, ...]] | None = None
    lock: bool | None = None
    """Whether tailnet lock is on."""


def from_status(status: Json, source: str, dns: Json | None = None, *, lock: bool | None = None) -> Tailnet:
    """The view of one device, from its `tailscale status --json` and `tailscale dns status --json`."""
    peers = [status["Self"]] if status.get("Self") else []
    peers += (status.get("Peer") or {}).values()
    devices = tuple(device_from_status(peer, status) for peer in peers)
    return Tailnet(source=source, devices=devices, dns=dns_from_status(dns) if dns else None, lock=lock)


def device_from_status(peer: Json, status: Json) -> Device:
    """A device from its part of `tailscale status --json` (tailscale.com@v1.102.5 ipn/ipnstate/ipnstate.go:218)."""
    own = {str(ipaddress.ip_network(address)) for address in peer.get("TailscaleIPs") or ()}
    routes = [route for route in peer.get("PrimaryRoutes") or peer.get("AllowedIPs") or () if route not in own]
    is_self = peer is status.get("Self")
    return Device(
        id=str(peer.get("ID", "")),
        name=str(peer.get("DNSName", "")).rstrip("."),
        hostname=str(peer.get("HostName", "")),
        addresses=tuple(peer.get("TailscaleIPs") or ()),
        tags=tuple(peer.get("Tags") or ()),
        online=bool(peer.get("Online")),
        last_seen=None if peer.get("Online") else time(peer.get("LastSeen")),
        expires=time(peer.get("KeyExpiry")),
        routes=tuple(route for route in routes if route not in EXIT_ROUTES),
        exit_node=bool(peer.get("ExitNodeOption")),
        version=str(status.get("Version", "")).partition("-")[0] if is_self else "",
        node_key=str(peer.get("PublicKey", "")),
    )


def dns_from_status(status: Json) -> TailnetDns | None:
    """The tailnet's DNS, from `tailscale dns status --json`; None from a device that is not connected."""
    tailnet = status.get("CurrentTailnet")
    if not tailnet:
        return None
    return TailnetDns(
        nameservers=tuple(resolver["Addr"] for resolver in status.get("Resolvers") or ()),
        split={
            domain: tuple(resolver["Addr"] for resolver in resolvers)
            for domain, resolvers in (status.get("SplitDNSRoutes") or {}).items()
            if resolvers
        },
        magic_dns=bool(tailnet.get("MagicDNSEnabled")),
    )


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


def time(text: str | None) -> datetime | None:
    """A time as Go writes it; None if it is not set."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return None if found.year == NEVER_YEAR else found
