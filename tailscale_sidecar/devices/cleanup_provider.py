"""The clean-up of a replica's device as a Pulumi resource, so that the engine knows its place in the order.

A replica's StatefulSet depends on it, and it on the replica's state Secret: it is deleted after the pod and before the
state. Pulumi runs the provider outside of the program, with what the state has of the resource, and the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult
from typing_extensions import override

from ..clients.errors import ClusterError
from ..clients.headscale import HeadscaleApi
from ..clients.kubeconfig import ClusterAccess
from ..clients.kubernetes import Cluster, connect
from ..clients.tailscale import TailscaleApi
from .cleanup import CREDENTIALS
from .removal import RemovalError, Replica, remove_device

ENVIRONMENT = "TAILSCALE_SIDECAR_CLEANUP_"
"""Prefix of the variables that take precedence over what is stored."""
TYPE = "pulumi-python:dynamic/tailscale-sidecar:DeviceCleanup"
"""The resource's type in Pulumi, as states remember it."""
IDENTITY = ("namespace", "stateful_set", "ordinal")
"""Inputs that make it another replica's clean-up if they change."""
SECRETS = (*CREDENTIALS, "kubeconfig")
HOW_TO_GO_ON = f"""
Its state is kept: put this right and run the same command again, which goes on from here. From the environment it takes
{" or ".join(ENVIRONMENT + name.upper() for name in CREDENTIALS)},
{ENVIRONMENT}KUBECONFIG and {ENVIRONMENT}CONTEXT instead of what is stored;
{ENVIRONMENT}RETAIN=true leaves the device where it is."""


class DeviceCleanupProvider(ResourceProvider):
    """Does nothing until its resource is deleted."""

    # States have the class by this name, wherever its code is: another one would break every `destroy`.
    __module__ = "tailscale_sidecar.device_cleanup_provider"

    serialize_as_secret_always = False  # it is no more than that name

    @override
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(f"{props['namespace']}/{props['stateful_set']}-{props['ordinal']:.0f}", dict(props))

    @override
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        changed = [key for key in {*_olds, *_news} if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(changed), replaces=[key for key in IDENTITY if key in changed])

    @override
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(dict(_news))

    @override
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        settings = Settings(_props, os.environ)
        if settings.retain:
            return
        try:
            remove_device(settings.replica, settings.connect(), settings.api)
        except RemovalError as error:
            raise RuntimeError(f"left on the tailnet: {error}{HOW_TO_GO_ON}") from None


class DeviceCleanupResource(Resource, module="tailscale-sidecar", name="DeviceCleanup"):
    """The clean-up of one replica's device."""

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        hidden = pulumi.ResourceOptions(additional_secret_outputs=list(SECRETS))
        secret = {
            key: pulumi.Output.secret(value) for key, value in props.items() if key in SECRETS and value is not None
        }
        super().__init__(DeviceCleanupProvider(), name, {**props, **secret}, pulumi.ResourceOptions.merge(opts, hidden))


class Settings:
    """What the stored properties and the environment say together."""

    def __init__(self, props: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._props = props
        self._environment = environment

    @property
    def retain(self) -> bool:
        """Whether the device stays."""
        return bool(self._props["retain"]) or self._given("retain") == "true"

    @property
    def replica(self) -> Replica:
        """The replica that goes."""
        return Replica(
            namespace=self._props["namespace"],
            stateful_set=self._props["stateful_set"],
            ordinal=int(self._props["ordinal"]),  # Pulumi's numbers are floats
            anchor=("Role", self._props["role"]) if "role" in self._props else ("Service", self._props["stateful_set"]),
            anchor_uid=self._props["service_uid"],
            secret_is_ours=self._props["secret_is_ours"],
        )

    def connect(self) -> Cluster:
        """The replica's cluster; a context belongs to the kubeconfig that it came with."""
        kubeconfig, context = self._given("kubeconfig"), self._given("context")
        if not kubeconfig:
            kubeconfig, context = self._props.get("kubeconfig"), context or self._props.get("context")
        try:
            return connect(ClusterAccess(kubeconfig, context), self.replica.namespace, "device_cleanup")
        except ClusterError as error:
            raise RemovalError(f"the device of {self.replica}: {error}") from None

    @property
    def api(self) -> TailscaleApi:
        """The tailnet's API, of the kind that the one credential is of."""
        given = {key: self._given(key) for key in CREDENTIALS}
        chosen = given if any(given.values()) else {key: self._props.get(key) for key in CREDENTIALS}
        return _api(self._props["api_url"], **chosen)

    def _given(self, name: str) -> str | None:
        return self._environment.get(ENVIRONMENT + name.upper()) or None


@cache
def _api(
    url: str, *, client_secret: str | None, access_token: str | None, headscale_api_key: str | None
) -> TailscaleApi:
    """One for all replicas of an operation, which then share an access token."""
    if headscale_api_key:
        return HeadscaleApi(url, api_key=headscale_api_key)
    return TailscaleApi(url, client_secret=client_secret, access_token=access_token)
