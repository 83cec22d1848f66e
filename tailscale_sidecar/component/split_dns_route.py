"""A split DNS route of the tailnet, which pods with `dns=SplitDns()` need."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import pulumi

from ..clients import extras
from ..pod import rules
from ..pod.model import Input


class SplitDnsRoute(pulumi.ComponentResource):
    """Tells all devices of the tailnet which nameservers to ask about a domain, such as `svc.cluster.local`.

    A tailnet has one route for a domain, whoever sets it, and Tailscale does not say whose it is: a second stack with
    the same domain would take it over, and take it away when it is destroyed. So this is no part of
    `TailscaleSidecarStatefulSet`; have it once, in the stack that makes the cluster. Routes of other domains are never
    touched. Needs the extra `tailscale`; Pulumi's credential for Tailscale needs the scope `dns`.
    """

    def __init__(
        self, domain: str, nameservers: Sequence[Input[str]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Registers the route.

        Args:
            domain: The domain, and the resource's name in Pulumi, so that a stack cannot have two routes for it.
            nameservers: IP addresses, such as that of the cluster's DNS Service. The pods must be able to reach them.
            opts: Pulumi's options. With `protect=True`, `pulumi destroy` refuses to take the route away; with
                `retain_on_delete=True` it leaves the route on the tailnet.

        Raises:
            ValueError: The domain or a nameserver is written in a way that Tailscale does not keep.
            ExtraMissingError: The extra `tailscale` is not installed.
        """
        with extras.TAILSCALE.needed_for("SplitDnsRoute"):
            import pulumi_tailscale as tailscale  # noqa: PLC0415 - an extra
        _check_domain(domain)
        _check_nameservers(nameservers)
        super().__init__("tailscale-sidecar:index:SplitDnsRoute", domain, {}, opts)
        self.split_nameservers = tailscale.DnsSplitNameservers(
            f"{domain}-nameservers",
            domain=domain,
            nameservers=list(nameservers),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _check_domain(domain: str) -> None:
    if not re.fullmatch(rf"{rules.DNS_LABEL}(\.{rules.DNS_LABEL})*", domain):
        raise ValueError(f"{domain!r} is not a domain such as svc.cluster.local: small letters, no dot at the end")


def _check_nameservers(nameservers: Sequence[Input[str]]) -> None:
    if isinstance(nameservers, str) or not nameservers:
        raise ValueError("nameservers is a list of at least one IP address")
    for nameserver in nameservers:
        if isinstance(nameserver, pulumi.Output):
            continue
        try:
            ipaddress.ip_address(nameserver)
        except ValueError:
            raise ValueError(f"nameservers: {nameserver!r} is not an IP address") from None
