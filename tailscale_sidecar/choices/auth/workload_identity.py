from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal, Self

import pulumi
from pydantic import ValidationInfo, field_validator, model_validator
from typing_extensions import override

from ...clients import extras
from ...pod import rules
from ...pod.additions import Additions, Surroundings
from ...pod.contract import ID_TOKEN_DIR, ID_TOKEN_VOLUME
from ...pod.model import Input, when_known
from ...pod.objects import env_value
from ._auth import Auth, attributes, check_attributes, credential, refuse_credential
from ._creation import SCOPES, checked_tags, description

KNOWN_ATTRIBUTES = ("ephemeral", "preauthorized")
"""What may follow the `?` of a client ID (feature/identityfederation/identityfederation.go:95)."""
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

    @classmethod
    def create(
        cls,
        name: str,
        *,
        issuer: Input[str],
        namespace: Input[str],
        service_account: Input[str] | None = None,
        tags: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> Self:
        """Makes a federated identity on the tailnet that trusts the tokens of one ServiceAccount, and nothing else.

        Needs the extra `tailscale`; Pulumi's credential for Tailscale needs the scopes `federated_keys` and
        `auth_keys`, with the tags.

        Args:
            name: Of the resource in Pulumi, and its description in the admin console.
            issuer: The cluster's, an https:// URL that Tailscale can reach:
                `kubectl get --raw /.well-known/openid-configuration`.
            namespace: Of the component.
            service_account: Name of the pods' ServiceAccount. Default: `name`, as the component of that name makes it.
            tags: ACL tags that it may give to devices: those of the component, or tags that own them.
            opts: Pulumi's options, such as the provider.

        Raises:
            ExtraMissingError: The extra `tailscale` is not installed.
        """
        account = name if service_account is None else service_account
        issuer = when_known(issuer, _check_issuer, "issuer")
        namespace = when_known(namespace, partial(rules.object_name, field="namespace"), "namespace")
        account = when_known(account, partial(rules.object_name, field="service_account"), "service_account")
        with extras.TAILSCALE.needed_for("WorkloadIdentity.create"):
            import pulumi_tailscale as tailscale  # noqa: PLC0415 - an extra
        made = tailscale.FederatedIdentity(
            name,
            issuer=issuer,
            subject=pulumi.Output.concat("system:serviceaccount:", namespace, ":", account),
            scopes=SCOPES,
            tags=checked_tags(tags),
            description=description(name),
            opts=opts,
        )
        return cls(client_id=made.id, audience=made.audience, token="projected")  # noqa: S106 - a kind of token

    @field_validator("client_id", "audience")
    @classmethod
    def _check_text(cls, value: Input[str] | None, info: ValidationInfo) -> Input[str] | None:
        field, instead = str(info.field_name), "a workload identity has none; give what the admin console shows"
        return (
            None
            if value is None
            else when_known(value, partial(refuse_credential, field=field, instead=instead), field)
        )

    @model_validator(mode="after")
    def _check_attributes(self) -> Self:
        if isinstance(self.client_id, str):
            self._refuse_attributes(self.client_id)
        return self

    def _refuse_attributes(self, client_id: str) -> None:
        check_attributes(client_id, "client_id", KNOWN_ATTRIBUTES, ephemeral=self.ephemeral)

    @model_validator(mode="after")
    def _check_audience(self) -> Self:
        if self.token == "projected" and self.audience is None:
            raise ValueError("audience is required with token='projected': it is written into the token")
        if self.token == "ambient" and (self.audience is None) == (self.existing_secret is None):
            raise ValueError("give audience beside client_id, or the key TS_AUDIENCE in existing_secret")
        return self

    @override
    def secret_data(self, *, elsewhere: bool = False) -> dict[str, Input[str]]:
        del elsewhere
        if self.client_id is None:
            return {}
        data = {"TS_CLIENT_ID": when_known(self.client_id, self._refuse_attributes, "client_id")}
        if self.audience is not None:
            data["TS_AUDIENCE"] = self.audience
        return data

    @override
    def additions(self, pod: Surroundings) -> Additions:
        chosen = not pod.outlives_pod if self.ephemeral is None else self.ephemeral
        login = credential(pod.auth_secret, "TS_CLIENT_ID", "--client-id", attributes(ephemeral=chosen))
        if self.token == "ambient":
            return login + Additions(env=(env_value("ID_TOKEN_FILE", ""),))
        source = {"audience": self.audience, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
        volume = {"name": ID_TOKEN_VOLUME, "projected": {"sources": [{"serviceAccountToken": source}]}}
        return login + Additions(
            env=(env_value("ID_TOKEN_FILE", f"{ID_TOKEN_DIR}/token"),),
            volumes=(volume,),
            mounts=({"name": ID_TOKEN_VOLUME, "mountPath": ID_TOKEN_DIR, "readOnly": True},),
        )


def _check_issuer(issuer: str) -> None:
    if not issuer.startswith("https://"):
        raise ValueError("issuer must be an https:// URL that Tailscale can reach")
