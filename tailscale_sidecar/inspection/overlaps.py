"""Routes of the tailnet that cover addresses of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..report.findings import listed
from .cidrs import Range, is_within, overlap, parsed
from .tailnet import Device, Tailnet

MANY_NODES = 3
"""Node addresses that a finding names; a cluster may have a thousand."""


@dataclass(frozen=True)
class Overlap:
    """A route of a device, and addresses of the cluster that it covers."""

    device: Device
    route: str
    approved: bool
    covered: tuple[Range, ...]

    @property
    def what(self) -> str:
        """For people."""
        state = "advertises" if self.approved else "advertises (not approved yet)"
        covered = listed([str(found) for found in self.covered], MANY_NODES)
        return f"Device {self.device.name} {state} {self.route}, which overlaps {covered}."

    @property
    def words(self) -> dict[str, str]:
        """For the advice."""
        return {"device": self.device.name, "cidr": ", ".join(dict.fromkeys(r.cidr for r in self.covered[:MANY_NODES]))}


def overlaps(tailnet: Tailnet, ranges: Sequence[Range]) -> list[Overlap]:
    """Routes of the tailnet that cover addresses of the cluster. An exit node's default route is not among them."""
    found = []
    for device in tailnet.devices:
        offers = [(route, True) for route in device.routes] + [(route, False) for route in device.offered_routes]
        for route, approved in offers:
            covered = [r for r in ranges if overlap(route, r.cidr) is not None]
            if covered:
                found.append(Overlap(device, route, approved, tuple(widest(covered))))
    return found


def widest(found: Sequence[Range]) -> list[Range]:
    """Those that are not within another, such as a Service's address within the services' range."""
    return [one for one in found if not any(is_part(one, other) for other in found)]


def is_part(one: Range, other: Range) -> bool:
    """Whether a range is within a larger one."""
    network = parsed(one.cidr)
    return one.cidr != other.cidr and network is not None and is_within(network, [other.cidr])
