from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator
from typing_extensions import override

from .._additions import Additions
from .._model import Input
from ._auth import Auth, credential, refuse_prefixes


class AuthKey(Auth):
    """A static auth key. It must be reusable for more than one replica, and lives 90 days at most.

    The key itself carries the tags and whether devices are ephemeral and pre-approved.
    An existing Secret holds the key `TS_AUTHKEY`.
    """

    requires_tags: ClassVar[bool] = False
    _inline_fields: ClassVar = ("auth_key",)
    _required_inline: ClassVar = ("auth_key",)

    auth_key: Input[str] | None = Field(default=None, repr=False)
    """The key: `tskey-auth-...`, or what another control plane such as Headscale gives out."""

    @field_validator("auth_key")
    @classmethod
    def _check_auth_key(cls, value: Input[str] | None) -> Input[str] | None:
        refuse_prefixes(
            value,
            "auth_key",
            {
                "tskey-client-": "that is an OAuth client secret; use auth=OAuthClient(client_secret=...)",
                "tskey-api-": "that is an API access token; create an auth key in the admin console",
            },
        )
        return value

    @override
    def secret_data(self) -> dict[str, Input[str]]:
        return {} if self.auth_key is None else {"TS_AUTHKEY": self.auth_key}

    @override
    def additions(self, secret_name: Input[str], *, ephemeral: bool) -> Additions:
        del ephemeral  # the key says it
        return credential(secret_name, "TS_AUTHKEY", "--auth-key")
