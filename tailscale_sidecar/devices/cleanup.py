from __future__ import annotations

from typing import Self

import pulumi
from pydantic import Field, field_validator, model_validator

from ..choices.auth._auth import refuse_prefixes
from ..clients.kubeconfig import ClusterAccess
from ..clients.tailscale import TAILSCALE_API
from ..pod import rules
from ..pod.model import Input, Model, when_known


class DeviceCleanup(Model):
    """Takes the devices of replicas that go off the tailnet: when the StatefulSet scales down, and at `destroy`.

    The credential is Pulumi's own, and no pod gets it. At `destroy` there is no program, so it is kept in the state, as a
    secret. Where it was rotated since, the environment has the word: TAILSCALE_SIDECAR_CLEANUP_CLIENT_SECRET or
    _ACCESS_TOKEN, _KUBECONFIG, _CONTEXT; and _RETAIN=true leaves the devices where they are.
    """

    client_secret: Input[str] | None = Field(default=None, repr=False)
    """Secret of an OAuth client with the scope `devices:core` and the devices' tags, `tskey-client-...`."""
    access_token: Input[str] | None = Field(default=None, repr=False)
    """An API access token, `tskey-api-...`, instead."""
    api_url: str = TAILSCALE_API
    """Base URL of an API like Tailscale's. To be given with `login_server`."""
    kubeconfig: Input[str] | None = Field(default=None, repr=False)
    """Path or contents of the kubeconfig that the state Secrets are read with. Default: the component's provider's; it
    has to be good at `destroy` too."""
    context: Input[str] | None = None
    """Context in the kubeconfig. Default: with the provider's kubeconfig the provider's, else the current one."""
    retain: bool = False
    """Leaves the devices on the tailnet after all. No credential is needed then."""

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

    @field_validator("api_url")
    @classmethod
    def _check_api_url(cls, url: str) -> str:
        return rules.login_server(url)

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [name for name in ("client_secret", "access_token") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError("give client_secret or access_token, not both")
        if not given and not self.retain:
            raise ValueError("give client_secret, of an OAuth client with the scope devices:core, or access_token")
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
