from __future__ import annotations

from typing import Self

import pulumi
from pydantic import Field, field_validator, model_validator

from ..choices.auth._auth import refuse_prefixes
from ..clients.kubeconfig import ClusterAccess
from ..clients.tailscale import TAILSCALE_API
from ..pod import rules
from ..pod.model import Input, Model, when_known

CREDENTIALS = ("client_secret", "access_token", "headscale_api_key")
"""Of which one is given, and says which API it is."""


class DeviceCleanup(Model):
    """Takes the devices of replicas that go off the tailnet: when the StatefulSet scales down, and at `destroy`.

    The credential is Pulumi's own, and no pod gets it. At `destroy` there is no program, so it is kept in the state, as a
    secret. Where it was rotated since, the environment has the word: TAILSCALE_SIDECAR_CLEANUP_CLIENT_SECRET,
    _ACCESS_TOKEN or _HEADSCALE_API_KEY, _KUBECONFIG, _CONTEXT; and _RETAIN=true leaves the devices where they are.
    """

    client_secret: Input[str] | None = Field(default=None, repr=False)
    """Secret of an OAuth client with the scope `devices:core` and the devices' tags, `tskey-client-...`."""
    access_token: Input[str] | None = Field(default=None, repr=False)
    """An API access token, `tskey-api-...`, instead."""
    headscale_api_key: Input[str] | None = Field(default=None, repr=False)
    """An API key of the Headscale that is the `login_server`, `hskey-api-...`, instead: `headscale apikeys create`."""
    api_url: str | None = None
    """Base URL of the API. To be given with `login_server`, unless that has it, as Headscale does. Default: Tailscale's."""
    kubeconfig: Input[str] | None = Field(default=None, repr=False)
    """Path or contents of the kubeconfig that the state Secrets are read with. Default: the component's provider's; it
    has to be good at `destroy` too."""
    context: Input[str] | None = None
    """Context in the kubeconfig. Default: with the provider's kubeconfig the provider's, else the current one."""
    retain: bool = False
    """Leaves the devices on the tailnet after all. No credential is needed then."""

    def url(self, login_server: Input[str] | None) -> Input[str] | None:
        """Base URL of the API, where this is the control plane."""
        return self.api_url or (TAILSCALE_API if self.headscale_api_key is None else login_server)

    def access(self, providers: pulumi.Output[ClusterAccess]) -> pulumi.Output[ClusterAccess]:
        """The way to the cluster: the provider's, but for what is given here."""
        if self.kubeconfig is None:
            return pulumi.Output.all(providers, self.context).apply(
                lambda found: ClusterAccess(found[0].kubeconfig, found[1] or found[0].context)
            )
        return pulumi.Output.all(self.kubeconfig, self.context).apply(lambda found: ClusterAccess(*found))

    @field_validator("client_secret")
    @classmethod
    def _check_client_secret(cls, value: Input[str] | None) -> Input[str] | None:
        return None if value is None else when_known(value, _is_client_secret, "client_secret")

    @field_validator("access_token")
    @classmethod
    def _check_access_token(cls, value: Input[str] | None) -> Input[str] | None:
        return None if value is None else when_known(value, _is_access_token, "access_token")

    @field_validator("headscale_api_key")
    @classmethod
    def _check_headscale_api_key(cls, value: Input[str] | None) -> Input[str] | None:
        return None if value is None else when_known(value, _is_headscale_api_key, "headscale_api_key")

    @field_validator("api_url")
    @classmethod
    def _check_api_url(cls, url: str | None) -> str | None:
        return None if url is None else rules.login_server(url)

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [name for name in CREDENTIALS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {' and '.join(given)}")
        if not given and not self.retain:
            raise ValueError(
                "give client_secret, of an OAuth client with the scope devices:core, or access_token, or headscale_api_key"
            )
        return self


def _is_client_secret(value: str) -> None:
    refuse_prefixes(
        value,
        "client_secret",
        {
            "tskey-auth-": "that is an auth key, which removes no devices; use an OAuth client's secret",
            "tskey-api-": "that is an API access token; use access_token=",
        },
    )
    if "?" in value:
        raise ValueError("client_secret has attributes (?...), which are for logins; leave them out")


def _is_access_token(value: str) -> None:
    refuse_prefixes(
        value,
        "access_token",
        {
            "tskey-auth-": "that is an auth key, which removes no devices; use an API access token",
            "tskey-client-": "that is an OAuth client's secret; use client_secret=",
        },
    )


def _is_headscale_api_key(value: str) -> None:
    refuse_prefixes(
        value,
        "headscale_api_key",
        {
            "hskey-auth-": "that is a pre-auth key, which removes no nodes; use what `headscale apikeys create` prints",
            "tskey-": "that is a credential of Tailscale's own control plane",
        },
    )
