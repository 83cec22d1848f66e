from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

import pulumi
from pydantic import Field, field_validator

from ...pod.camel_case import each_to_camel_case
from ...pod.model import Input, Items, Model
from ...pod.objects import Json

Port = Annotated[int, Field(ge=1, le=65535)]
HTTPS, STUN = 443, 3478
"""Of the control plane and the relays, and what tells a device its address (https://tailscale.com/kb/1082/firewall-ports)."""


class EgressPolicy(Model):
    """A NetworkPolicy that lets the pods out to what their sidecars need, and to `allow`, and nowhere else: docs/egress.md.

    It counts where the cluster's network enforces NetworkPolicies. Policies add up: what another one allows stays allowed.
    """

    allow: Items[Any] = ()
    """Rules for what the app itself needs, as in a NetworkPolicy's `egress`. What it reaches over the tailnet needs none."""
    direct_connections: bool = True
    """Whether any UDP may leave, as direct connections to other devices need. False: all traffic goes through relays (DERP)."""
    api_server_ports: Items[Port] = (443, 6443)
    """Ports of the Kubernetes API server, for state in Secrets: of its Service, and those behind it, since some networks look
    at a packet when the Service's address is replaced already."""
    dns_ports: Items[Port] = (53,)
    """Ports of the cluster's DNS. On OpenShift also 5353, behind its Service."""

    @field_validator("allow")
    @classmethod
    def _normalise_allow(cls, rules: tuple[Any, ...]) -> tuple[Json, ...]:
        from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgs as Rule  # noqa: PLC0415 - takes 0.1 s

        return each_to_camel_case(rules, Rule, "egress_policy.allow")

    def network_policy(
        self, app: str, login_server: Input[str] | None, routes: Sequence[Input[str]], *, asks_kubernetes: bool
    ) -> Json:
        """The `spec` of a NetworkPolicy of the pods that have the label `app`.

        Args:
            app: The label's value.
            login_server: URL of another control plane than Tailscale's.
            routes: CIDRs that the devices offer to route to.
            asks_kubernetes: Whether the sidecar has its state in Secrets.
        """
        control_plane = [] if login_server is None else [port_of(login_server)]
        api_server = self.api_server_ports if asks_kubernetes else ()
        tcp = ports("TCP", [*self.dns_ports, HTTPS, *control_plane, *api_server])
        udp = [{"protocol": "UDP"}] if self.direct_connections else ports("UDP", [*self.dns_ports, STUN])
        egress: list[Json] = [{"ports": [*tcp, *udp]}]
        if routes:
            egress.append({"to": [{"ipBlock": {"cidr": route}} for route in routes]})
        return {
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": ["Egress"],
            "egress": [*egress, *self.allow],
        }


def ports(protocol: str, numbers: Iterable[Input[int]]) -> list[Json]:
    """Ports as a NetworkPolicy has them."""
    return [{"protocol": protocol, "port": number} for number in dict.fromkeys(numbers)]


def port_of(url: Input[str]) -> Input[int]:
    """Where a control plane listens."""
    if isinstance(url, pulumi.Output):
        return url.apply(port_of)
    parts = urlsplit(url)
    return parts.port or (HTTPS if parts.scheme == "https" else 80)
