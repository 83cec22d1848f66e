from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import pulumi
from pydantic import Field, field_validator
from typing_extensions import override

from ...clients import extras
from ...pod.additions import Additions, Surroundings
from ...pod.model import Input, when_known
from ._auth import Auth, credential, refuse_prefixes
from ._creation import checked_tags, description

MAX_EXPIRY_DAYS = 90
"""Longest life of an auth key (tailscale.com/docs/features/access-control/auth-keys)."""
SECONDS_PER_DAY = 86_400


class AuthKey(Auth):
    """A static auth key. It must be reusable for more than one replica, and lives 90 days at most.

    The key itself carries the tags and whether devices are ephemeral and pre-approved.
    An existing Secret holds the key `TS_AUTHKEY`.
    """

    requires_tags: ClassVar[bool] = False
    carries_tags: ClassVar[bool] = True
    _inline_fields: ClassVar = ("auth_key",)
    _required_inline: ClassVar = ("auth_key",)

    auth_key: Input[str] | None = Field(default=None, repr=False)
    """The key: `tskey-auth-...`, or what another control plane such as Headscale gives out."""

    @classmethod
    def create(
        cls,
        name: str,
        *,
        tags: Sequence[str],
        reusable: bool = True,
        ephemeral: bool = False,
        expiry_days: int = MAX_EXPIRY_DAYS,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Self:
        """Makes the key on the tailnet, pre-approved.

        It expires. Running devices do not mind, but a replica that is new, or that was deleted on the tailnet, cannot
        log in until there is another key: `pulumi up --refresh` after the expiry makes one if the key is reusable. No
        pod restarts for it. Needs the extra `tailscale`; Pulumi's credential for Tailscale needs the scope `auth_keys`,
        with the tags.

        Args:
            name: Of the resource in Pulumi, and its description in the admin console.
            tags: ACL tags of the devices.
            reusable: Whether it can be used more than once: for more than one replica, or for another login.
            ephemeral: Whether the tailnet removes a device soon after it goes offline; for `EmptyDirState`.
            expiry_days: Life of the key in days, 1 to 90.
            opts: Pulumi's options, such as the provider.

        Raises:
            ExtraMissingError: The extra `tailscale` is not installed.
        """
        if not 1 <= expiry_days <= MAX_EXPIRY_DAYS:
            raise ValueError(f"expiry_days is 1 to {MAX_EXPIRY_DAYS}")
        with extras.TAILSCALE.needed_for("AuthKey.create"):
            import pulumi_tailscale as tailscale  # noqa: PLC0415 - an extra
        made = tailscale.TailnetKey(
            name,
            tags=checked_tags(tags),
            reusable=reusable,
            ephemeral=ephemeral,
            preauthorized=True,
            expiry=expiry_days * SECONDS_PER_DAY,
            description=description(name),
            opts=opts,
        )
        return cls(auth_key=made.key)

    @field_validator("auth_key")
    @classmethod
    def _check_auth_key(cls, value: Input[str] | None) -> Input[str] | None:
        return None if value is None else when_known(value, _is_auth_key, "auth_key")

    @override
    def secret_data(self, *, elsewhere: bool = False) -> dict[str, Input[str]]:
        del elsewhere
        return {} if self.auth_key is None else {"TS_AUTHKEY": self.auth_key}

    @override
    def additions(self, pod: Surroundings) -> Additions:
        # Whether devices are ephemeral, the key says itself.
        return credential(pod.auth_secret, "TS_AUTHKEY", "--auth-key")


def _is_auth_key(value: str) -> None:
    refuse_prefixes(
        value,
        "auth_key",
        {
            "tskey-client-": "that is an OAuth client secret; use auth=OAuthClient(client_secret=...)",
            "tskey-api-": "that is an API access token; create an auth key in the admin console",
        },
    )
