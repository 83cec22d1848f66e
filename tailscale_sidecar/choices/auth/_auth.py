from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self
from urllib.parse import parse_qsl

from pydantic import field_validator, model_validator

from ...pod import rules
from ...pod.additions import Additions, Surroundings
from ...pod.contract import AUTH_VOLUME, CREDENTIAL_DIR
from ...pod.model import Input, Model, when_known
from ...pod.objects import env_value


class Auth(Model):
    """Base of the auth methods. The credential comes inline or by the name of a Secret that exists already."""

    requires_tags: ClassVar[bool]
    """Whether Tailscale refuses devices without tags for this method."""

    carries_tags: ClassVar[bool] = False
    """Whether the credential may have tags of its own."""

    existing_secret: Input[str] | None = None
    """Name of a Secret in the same namespace that holds the credential; keys as the component's own would have."""

    @abstractmethod
    def secret_data(self, *, elsewhere: bool = False) -> dict[str, Input[str]]:
        """Keys and values of the auth Secret that the component makes; empty with `existing_secret`.

        `elsewhere`: the control plane is not Tailscale's own, which some credentials are good for alone.
        """

    @abstractmethod
    def additions(self, pod: Surroundings) -> Additions:
        """What this method adds to the pod."""

    def check_elsewhere(self) -> None:
        """Raises ValueError, or warns, where only Tailscale's own control plane takes the credential."""

    def plain_secrets(self) -> list[str]:
        """The values that were given as plain strings, so that callers can keep them out of what they print."""
        return [value for value in self.secret_data().values() if isinstance(value, str)]

    @field_validator("existing_secret")
    @classmethod
    def _check_existing_secret(cls, name: Input[str] | None) -> Input[str] | None:
        return None if name is None else when_known(name, _secret_name, "existing_secret")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        inline = sorted(name for name in type(self).model_fields if name in self._inline_fields and self._given(name))
        if self.existing_secret is not None and inline:
            raise ValueError(f"give {' and '.join(inline)}, or existing_secret, not both")
        missing = [name for name in self._required_inline if not self._given(name)]
        if self.existing_secret is None and missing:
            raise ValueError(f"give {' and '.join(missing)}, or existing_secret with the name of a Secret")
        return self

    _inline_fields: ClassVar[tuple[str, ...]]
    _required_inline: ClassVar[tuple[str, ...]]

    def _given(self, name: str) -> bool:
        return getattr(self, name) is not None


def credential(secret_name: Input[str], key: str, flag: str, attributes: str = "") -> Additions:
    """Mounts the auth Secret in the sidecar and tells scripts/connect.sh which key it logs in with, by which flag."""
    return Additions(
        env=(
            env_value("CREDENTIAL_FLAG", flag),
            env_value("CREDENTIAL_FILE", f"{CREDENTIAL_DIR}/{key}"),
            env_value("CREDENTIAL_ATTRIBUTES", attributes),
        ),
        volumes=({"name": AUTH_VOLUME, "secret": {"secretName": secret_name}},),
        mounts=({"name": AUTH_VOLUME, "mountPath": CREDENTIAL_DIR, "readOnly": True},),
    )


def attributes(*, ephemeral: bool) -> str:
    """The attributes of an OAuth client secret or a federated client ID.

    Both are always written: where one is given, the other's default differs between the two
    (tailscale.com@v1.102.5 feature/oauthkey/oauthkey.go:36, feature/identityfederation/identityfederation.go:95).
    """
    return f"ephemeral={str(ephemeral).lower()} preauthorized=true"


def _secret_name(value: str) -> None:
    refuse_credential(value, "existing_secret", "give the name of the Secret that it is in")
    rules.object_name(value, "existing_secret")


def refuse_prefixes(value: str, field: str, wrong: dict[str, str]) -> None:
    """Refuses a credential that by its prefix is surely of another kind. The prefix is all that the error shows."""
    for prefix, instead in wrong.items():
        if value.startswith(prefix):
            raise ValueError(f"{field} starts with {prefix}: {instead}")
    if not value.strip():
        raise ValueError(f"{field} is empty")
    if value != value.strip():
        raise ValueError(f"{field} has white space around it; strip it")


def refuse_credential(value: str, field: str, instead: str) -> None:
    """Refuses a credential where something else is asked for, which would be shown to everybody."""
    refuse_prefixes(value, field, dict.fromkeys(("tskey-", "hskey-"), f"that is a credential; {instead}"))


def check_attributes(value: str, field: str, known: tuple[str, ...], *, ephemeral: bool | None) -> None:
    """Checks what follows the `?` of a credential: with what Tailscale does not take, no login would ever succeed."""
    for name, chosen in parse_qsl(value.partition("?")[2], keep_blank_values=True):
        if name not in known:
            raise ValueError(f"{field} has an unknown attribute; Tailscale knows {', '.join(known)}")
        if name != "baseURL" and chosen not in ("true", "false"):
            raise ValueError(f"the attribute {name} in {field} must be true or false")
        if name == "ephemeral" and ephemeral is not None and (chosen == "true") != ephemeral:
            raise ValueError(f"ephemeral={ephemeral} contradicts the attribute in {field}; leave one of them out")
