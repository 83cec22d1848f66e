from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import pulumi
from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from ...clients import extras
from ...pod.additions import Additions, Surroundings
from ...pod.model import Input, warn, when_known
from ._auth import Auth, attributes, check_attributes, credential, refuse_credential, refuse_prefixes
from ._creation import SCOPES, checked_tags, description

KNOWN_ATTRIBUTES = ("ephemeral", "preauthorized", "baseURL")
"""What may follow the `?` of a client secret; others make `tailscale up` fail (feature/oauthkey/oauthkey.go:95)."""

WITHOUT_BASE_URL = (
    "each attempt mints a key at Tailscale's own API, which the other control plane refuses. Use auth=AuthKey(...), or, where "
    "the control plane has an API like Tailscale's, append ?baseURL=https://..."
)


class OAuthClient(Auth):
    """An OAuth client with the scope `auth_keys`: each replica mints its own key at its first login, and only then.

    The sidecar appends `?ephemeral=false&preauthorized=true` to the secret, inline or existing, unless the secret has
    attributes of its own. An existing Secret holds the key `TS_CLIENT_SECRET`, and may hold `TS_CLIENT_ID`.
    """

    requires_tags: ClassVar[bool] = True
    _inline_fields: ClassVar = ("client_id", "client_secret")
    _required_inline: ClassVar = ("client_secret",)

    client_id: Input[str] | None = None
    """ID of the OAuth client. Kept beside the secret as the guide does; Tailscale reads it from the secret itself."""
    client_secret: Input[str] | None = Field(default=None, repr=False)
    """Secret of the OAuth client, `tskey-client-...`."""
    ephemeral: bool | None = None
    """Whether the tailnet removes a device soon after it goes offline. Default: only with `EmptyDirState`."""

    @classmethod
    def create(cls, name: str, *, tags: Sequence[str], opts: pulumi.ResourceOptions | None = None) -> Self:
        """Makes the OAuth client on the tailnet, with the scope `auth_keys` and nothing else.

        Needs the extra `tailscale`; Pulumi's credential for Tailscale needs the scopes `oauth_keys` and `auth_keys`,
        with the tags.

        Args:
            name: Of the resource in Pulumi, and its description in the admin console.
            tags: ACL tags that it may give to devices: those of the component, or tags that own them.
            opts: Pulumi's options, such as the provider.

        Raises:
            ExtraMissingError: The extra `tailscale` is not installed.
        """
        with extras.TAILSCALE.needed_for("OAuthClient.create"):
            import pulumi_tailscale as tailscale  # noqa: PLC0415 - an extra
        made = tailscale.OauthClient(
            name, scopes=SCOPES, tags=checked_tags(tags), description=description(name), opts=opts
        )
        return cls(client_id=made.id, client_secret=made.key)

    @field_validator("client_id")
    @classmethod
    def _check_client_id(cls, value: Input[str] | None) -> Input[str] | None:
        return None if value is None else when_known(value, _is_client_id, "client_id")

    @field_validator("client_secret")
    @classmethod
    def _check_client_secret(cls, value: Input[str] | None) -> Input[str] | None:
        return None if value is None else when_known(value, _is_client_secret, "client_secret")

    @model_validator(mode="after")
    def _check_attributes(self) -> Self:
        if isinstance(self.client_secret, str):
            self._refuse_attributes(self.client_secret)
        return self

    def _refuse_attributes(self, client_secret: str) -> None:
        check_attributes(client_secret, "client_secret", KNOWN_ATTRIBUTES, ephemeral=self.ephemeral)

    @override
    def check_elsewhere(self) -> None:
        if isinstance(self.client_secret, str):
            _has_base_url(self.client_secret)
        if self.client_secret is None:
            warn(f"OAuthClient with login_server: unless existing_secret has it with ?baseURL=..., {WITHOUT_BASE_URL}")

    @override
    def secret_data(self, *, elsewhere: bool = False) -> dict[str, Input[str]]:
        if self.client_secret is None:
            return {}
        secret = when_known(self.client_secret, self._refuse_attributes, "client_secret")
        if elsewhere:
            secret = when_known(secret, _has_base_url, "client_secret")
        data = {"TS_CLIENT_SECRET": secret}
        return data if self.client_id is None else {"TS_CLIENT_ID": self.client_id, **data}

    @override
    def additions(self, pod: Surroundings) -> Additions:
        chosen = not pod.outlives_pod if self.ephemeral is None else self.ephemeral
        return credential(pod.auth_secret, "TS_CLIENT_SECRET", "--client-secret", attributes(ephemeral=chosen))


def _is_client_id(value: str) -> None:
    refuse_credential(value, "client_id", "the ID is what stands beside it in the admin console")


def _is_client_secret(value: str) -> None:
    refuse_prefixes(
        value,
        "client_secret",
        {
            "tskey-auth-": "that is an auth key; use auth=AuthKey(auth_key=...)",
            "hskey-auth-": "that is a Headscale auth key; use auth=AuthKey(auth_key=...)",
            "tskey-api-": "that is an API access token; create an OAuth client with the scope auth_keys",
        },
    )
    if not value.startswith("tskey-client-"):
        raise ValueError("client_secret must start with tskey-client-")


def _has_base_url(client_secret: str) -> None:
    if "baseURL=" not in client_secret:
        raise ValueError(f"OAuthClient with login_server: without baseURL in client_secret, {WITHOUT_BASE_URL}")
