from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import ValidationInfo, field_validator, model_validator
from typing_extensions import override

from .._additions import Additions, env_value
from .._model import Input
from ._auth import Auth, attributes, credential, refuse_prefixes

TOKEN_DIR = "/var/run/secrets/tailscale-sidecar"
TOKEN_SECONDS = 3600
"""Life of a projected token. The kubelet renews it at 80 %; Kubernetes allows no less than 600."""


class WorkloadIdentity(Auth):
    """Workload identity federation: a token of the platform is exchanged for a key, and no secret is stored.

    An existing Secret holds the keys `TS_CLIENT_ID` and, for an ambient token, `TS_AUDIENCE`.
    """

    requires_tags: ClassVar[bool] = True
    _inline_fields: ClassVar = ("client_id",)
    _required_inline: ClassVar = ("client_id",)

    client_id: Input[str] | None = None
    """Client ID of the federated identity, from the admin console's trust credentials."""
    audience: Input[str] | None = None
    """Audience of the token, as in the trust credential."""
    token: Literal["ambient", "projected"] = "ambient"
    """`ambient`: containerboot asks the cloud that it runs on: GitHub Actions, AWS or Google Cloud, and no other
    (tailscale.com@v1.102.5 wif/wif.go:60). `projected`: the pod's own ServiceAccount token, on any cluster whose issuer
    Tailscale can reach; the subject is `system:serviceaccount:<namespace>:<service account>`."""
    ephemeral: bool | None = None
    """Whether the tailnet removes a device soon after it goes offline. Default: only with `EmptyDirState`."""

    @field_validator("client_id", "audience")
    @classmethod
    def _check_text(cls, value: Input[str] | None, info: ValidationInfo) -> Input[str] | None:
        refuse_prefixes(value, str(info.field_name), {})
        return value

    @model_validator(mode="after")
    def _check_audience(self) -> Self:
        if self.token == "projected" and self.audience is None:
            raise ValueError("audience is required with token='projected': it is written into the token")
        if self.token == "ambient" and (self.audience is None) == (self.existing_secret is None):
            raise ValueError("give audience beside client_id, or the key TS_AUDIENCE in existing_secret")
        return self

    @override
    def secret_data(self) -> dict[str, Input[str]]:
        if self.client_id is None:
            return {}
        data = {"TS_CLIENT_ID": self.client_id}
        if self.audience is not None:
            data["TS_AUDIENCE"] = self.audience
        return data

    @override
    def additions(self, secret_name: Input[str], *, ephemeral: bool) -> Additions:
        chosen = ephemeral if self.ephemeral is None else self.ephemeral
        login = credential(secret_name, "TS_CLIENT_ID", "--client-id", attributes(ephemeral=chosen))
        if self.token == "ambient":
            return login + Additions(env=(env_value("ID_TOKEN_FILE", ""),))
        source = {"audience": self.audience, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
        volume = {"name": "tailscale-id-token", "projected": {"sources": [{"serviceAccountToken": source}]}}
        return login + Additions(
            env=(env_value("ID_TOKEN_FILE", f"{TOKEN_DIR}/token"),),
            volumes=(volume,),
            mounts=({"name": "tailscale-id-token", "mountPath": TOKEN_DIR, "readOnly": True},),
        )
