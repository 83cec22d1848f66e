"""The arguments of a sidecar, whatever workload it is in, and every rule that they can break."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import pulumi
from pulumi_kubernetes.core.v1 import ResourceRequirementsArgs, VolumeMountArgs
from pydantic import Field, InstanceOf, ValidationInfo, field_validator, model_validator

from ..choices.auth import Auth
from ..choices.dns import ClusterDns, Dns, InPodSplitDns
from ..choices.networking import KernelNetworking, Networking, UserspaceNetworking
from ..choices.state import SecretState, State
from ..clients.tailscale import TAILSCALE_API
from ..devices.cleanup import DeviceCleanup
from ..pod import rules
from ..pod.additions import Owner
from ..pod.camel_case import to_camel_case
from ..pod.contract import (
    DNS_IMAGE,
    METRICS_PORT,
    TAILSCALE_IMAGE,
)
from ..pod.model import Input, Items, Model, warn, when_known
from ..pod.objects import Json


class SidecarArgs(Model):
    """What `TailscaleSidecarStatefulSet` and `TailscaleSidecar` both take. Wrong arguments are refused here."""

    auth: InstanceOf[Auth] = Field(repr=False)
    """How a replica logs in for the first time: `OAuthClient`, `AuthKey` or `WorkloadIdentity`."""
    tags: Items[str] = ()
    """ACL tags of the devices, such as `tag:k8s`. Required unless auth is an `AuthKey`, which carries its own."""
    networking: InstanceOf[Networking] = Field(default_factory=KernelNetworking)
    """`KernelNetworking()` or `UserspaceNetworking()`."""
    dns: InstanceOf[Dns] = Field(
        default_factory=lambda data: (
            InPodSplitDns() if data.get("networking", KernelNetworking()).kernel else ClusterDns()
        )
    )
    """`InPodSplitDns()`, `SplitDns()` or `ClusterDns()`. Default: in-pod with kernel networking, else cluster."""
    state: InstanceOf[State] = Field(default_factory=SecretState)
    """Where the identity is kept: `SecretState()`, `PersistentVolumeState()` or `EmptyDirState()`."""
    device_cleanup: InstanceOf[DeviceCleanup] | None = None
    """Removes the devices of replicas that go from the tailnet. Default: they stay there."""

    replicas: int = Field(default=1, ge=0)
    """Number of replicas; each is a device."""
    namespace: Input[str] | None = None
    """Namespace of all objects. Default: the provider's."""
    labels: Mapping[str, Input[str]] = Field(default={})
    """Labels of all objects, and of the pods of `TailscaleSidecarStatefulSet`, beside `app`, which its selector uses."""
    ordinals_start: int = Field(default=0, ge=0)
    """Number of the first replica, as `ordinals.start` in a StatefulSet. Devices and state Secrets are named after it."""
    registration_rate: float | None = Field(default=None, ge=0.1, allow_inf_nan=False)
    """How many replicas a second may register, with `Parallel`: replica N waits N / rate seconds from its pod's start to
    its first login, and never again. It is part of the pod template. Default: all register as soon as they run."""

    hostname: str | None = None
    """Prefix of the devices' names: `<hostname>-<ordinal>`. Default: the pods' names. Of a DaemonSet whose nodes have lasting
    identities, `<hostname>-<node>`; default: the workload's name."""
    exact_hostname: str | None = None
    """The device's name as it is, for a component of one replica: what clients and certificates know it by."""
    accept_routes: bool = False
    """Whether the pods use subnet routes that other devices advertise. With kernel networking `cluster_cidrs` is then
    required."""
    advertise_routes: Items[str] = ()
    """CIDRs that the devices offer to route to."""
    advertise_exit_node: bool = False
    """Whether the devices offer to be exit nodes."""
    shields_up: bool = False
    """Refuses every connection from the tailnet, whatever its policy says."""
    cluster_cidrs: Items[Input[str]] = ()
    """The cluster's pod, service and node CIDRs. They are kept out of Tailscale's routing table, and of an exit node's."""
    login_server: Input[str] | None = None
    """URL of another control plane, such as Headscale. Default: Tailscale's."""

    metrics: bool = True
    """Whether the sidecar serves Prometheus metrics at `/metrics` on the pod's address."""
    metrics_port: int = Field(default=METRICS_PORT, ge=1, le=65535)
    """Port of `/metrics` and `/healthz`."""
    wait_for_tailnet: bool = True
    """Whether the app's containers start only when the replica is on the tailnet, however long that takes."""

    image: Input[str] = TAILSCALE_IMAGE
    """Image of the sidecar: a release from 1.94 on (1.96 with state outside of Secrets), by tag or digest, from any registry."""
    dns_image: Input[str] = DNS_IMAGE
    """Image of the resolver of `InPodSplitDns`: CoreDNS from 1.15 on, by tag or digest, from any registry."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """Of the sidecar's images. Default: Kubernetes' own rule."""
    resources: Any = None
    """Resource requests and limits of the sidecar. Default: requests of 15m CPU and 48Mi as measured, no limits."""
    dns_resources: Any = None
    """Resource requests and limits of the resolver of `InPodSplitDns`. Default: requests as measured, no limits."""
    service_account_name: Input[str] | None = None
    """Name of an existing ServiceAccount to use; else the component makes one."""
    extra_args: Items[str] = ()
    """Further flags of `tailscale up` that no argument covers, as `--flag=value`. An exit node by its address
    (`--exit-node=100.64.0.1`); with kernel networking `cluster_cidrs` is then required."""
    env: Mapping[str, Input[str]] = Field(default={}, repr=False)
    """Further environment variables of the sidecar that no argument covers."""
    sidecar_volume_mounts: Items[Any] = ()
    """Further volume mounts of the sidecar, of volumes in the pod, such as for TS_SERVE_CONFIG."""

    @field_validator("resources", "dns_resources")
    @classmethod
    def _normalise_resources(cls, value: Any, info: ValidationInfo) -> Json | None:
        if isinstance(value, pulumi.Output):
            raise ValueError(f"{info.field_name} is an Output; give a dict, with Outputs inside")
        return None if value is None else to_camel_case(value, ResourceRequirementsArgs, str(info.field_name))

    @field_validator("sidecar_volume_mounts")
    @classmethod
    def _normalise_mounts(cls, value: tuple[Any, ...]) -> tuple[Json, ...]:
        return tuple(
            to_camel_case(mount, VolumeMountArgs, f"sidecar_volume_mounts[{i}]") for i, mount in enumerate(value)
        )

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        return rules.tags(tags)

    @field_validator("advertise_routes", "cluster_cidrs")
    @classmethod
    def _check_cidrs(cls, cidrs: tuple[Input[str], ...], info: ValidationInfo) -> tuple[Input[str], ...]:
        return tuple(when_known(cidr, rules.cidr, str(info.field_name)) for cidr in cidrs)

    @field_validator("cluster_cidrs")
    @classmethod
    def _keep_out_of_tailnet(cls, cidrs: tuple[Input[str], ...], info: ValidationInfo) -> tuple[Input[str], ...]:
        if not isinstance(info.data.get("networking"), KernelNetworking):
            return cidrs
        return tuple(when_known(cidr, rules.outside_tailnet, "cluster_cidrs") for cidr in cidrs)

    @field_validator("image")
    @classmethod
    def _check_image(cls, image: Input[str], info: ValidationInfo) -> Input[str]:
        image = when_known(image, rules.tailscale_image, "image")
        state = info.data.get("state")
        if not isinstance(state, State):  # it is wrong itself
            return image
        check = partial(rules.release_with, oldest=state.oldest_release, choice=f"state={type(state).__name__}()")
        return when_known(image, check, "image")

    @field_validator("dns_image")
    @classmethod
    def _check_dns_image(cls, image: Input[str]) -> Input[str]:
        return when_known(image, rules.dns_image, "dns_image")

    @field_validator("hostname")
    @classmethod
    def _check_hostname(cls, hostname: str | None) -> str | None:
        return None if hostname is None else rules.hostname_prefix(hostname)

    @field_validator("exact_hostname")
    @classmethod
    def _check_exact_hostname(cls, hostname: str | None) -> str | None:
        return None if hostname is None else rules.host_name(hostname)

    @field_validator("login_server")
    @classmethod
    def _check_login_server(cls, url: Input[str] | None) -> Input[str] | None:
        return None if url is None else when_known(url, rules.login_server, "login_server")

    @field_validator("extra_args")
    @classmethod
    def _check_extra_args(cls, flags: tuple[str, ...]) -> tuple[str, ...]:
        return rules.extra_args(flags)

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: Mapping[str, Input[str]]) -> Mapping[str, Input[str]]:
        if "app" in labels:
            raise ValueError("labels: app is the selector's own, with the component's name as its value; remove it")
        for key in labels:
            rules.map_key(key, "labels")
        return {
            key: when_known(value, partial(rules.label, key, field="labels"), "labels") for key, value in labels.items()
        }

    @field_validator("namespace", "service_account_name")
    @classmethod
    def _check_object_name(cls, name: Input[str] | None, info: ValidationInfo) -> Input[str] | None:
        field = str(info.field_name)
        return None if name is None else when_known(name, partial(rules.object_name, field=field), field)

    @field_validator("env")
    @classmethod
    def _check_env(cls, env: Mapping[str, Input[str]], info: ValidationInfo) -> Mapping[str, Input[str]]:
        rules.env(env, kernel=not isinstance(info.data.get("networking"), UserspaceNetworking))
        return {name: when_known(value, partial(rules.env_value, name), "env") for name, value in env.items()}

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        self._check_tags_given()
        self._check_hostname_of_one()
        self._check_login_server_of_ones_own()
        self._check_routes()
        self._check_exit_node()
        self._check_networking()
        self._check_own_ports()
        self._check_registration_rate()
        self.state.room(self.replicas)
        self._warn_of_shields()
        self._check_device_cleanup()
        return self

    def _check_tags_given(self) -> None:
        if self.auth.requires_tags and not self.tags:
            raise ValueError(f"tags is required with {type(self.auth).__name__}, such as tags=['tag:k8s']")

    def _check_hostname_of_one(self) -> None:
        if self.exact_hostname is None:
            return
        if self.hostname is not None:
            raise ValueError("give hostname, a prefix, or exact_hostname, not both")
        if self.replicas > 1 or self.state.room(self.replicas) > 1:
            raise ValueError(
                "exact_hostname is for one replica: two devices cannot have one name. Use hostname, which is followed by "
                "the replica's number, or replicas=1 without max_replicas"
            )

    def _check_login_server_of_ones_own(self) -> None:
        if not self.is_elsewhere:
            return
        self.auth.check_elsewhere()
        if self.auth.carries_tags and self.tags:
            warn(
                "tags with login_server and an AuthKey: Headscale refuses tags beside a pre-auth key, for ever. Leave tags "
                "out: a device has those that the key was made with"
            )
        if self.dns.takes_tailscales_domain:
            warn(
                "login_server with dns=InPodSplitDns(): tailnet_domains has Tailscale's ts.net alone, so that names of "
                "another control plane's tailnet are looked up in the cluster. Give InPodSplitDns(tailnet_domains=[...]) "
                "with its base domain"
            )

    @property
    def is_elsewhere(self) -> bool:
        """Whether the control plane is surely not Tailscale's own; that of an Output is not known yet."""
        if not isinstance(self.login_server, str):
            return False
        host = urlsplit(self.login_server).hostname or ""
        return host != "tailscale.com" and not host.endswith(".tailscale.com")

    @property
    def may_be_elsewhere(self) -> bool:
        """Whether the control plane may be another than Tailscale's own."""
        return self.is_elsewhere or isinstance(self.login_server, pulumi.Output)

    def _check_routes(self) -> None:
        if self.accept_routes and self.networking.kernel and not self.cluster_cidrs:
            raise ValueError(
                "cluster_cidrs is required with accept_routes: give the cluster's pod, service and node CIDRs, "
                "or an overlapping route on the tailnet would cut the pods off from the cluster"
            )
        for cidr in self.advertise_routes:
            if cidr in ("0.0.0.0/0", "::/0"):
                raise ValueError(f"advertise_routes: {cidr} makes an exit node; use advertise_exit_node=True")

    def _check_exit_node(self) -> None:
        used = any(flag.startswith("--exit-node=") for flag in self.extra_args)
        if used and self.advertise_exit_node:
            raise ValueError(
                "an exit node cannot use another; remove --exit-node from extra_args or advertise_exit_node"
            )
        if used and self.networking.kernel and not self.cluster_cidrs:
            raise ValueError(
                "cluster_cidrs is required with --exit-node in extra_args: give the cluster's pod, service and node "
                "CIDRs, or what is for them would go to the exit node too"
            )
        if {"--exit-node-allow-lan-access", "--exit-node-allow-lan-access=true"} & set(self.extra_args) and not used:
            raise ValueError("extra_args: --exit-node-allow-lan-access needs --exit-node beside it")

    def _check_networking(self) -> None:
        if self.dns.needs_tun and not self.networking.kernel:
            raise ValueError(
                f"dns={type(self.dns).__name__}() needs kernel networking: in userspace the app cannot reach "
                "100.100.100.100. Use dns=ClusterDns(), and the proxy for tailnet names"
            )

    @property
    def owner(self) -> Owner:
        """Whose an identity is."""
        return "replica"

    @property
    def device_name(self) -> str:
        """What a device is called, with the sidecar's variables in it."""
        return self.exact_hostname or (f"{self.hostname}-$(POD_INDEX)" if self.hostname else "$(POD_NAME)")

    @property
    def routes(self) -> bool:
        """Whether the devices forward packets of others."""
        return bool(self.advertise_routes) or self.advertise_exit_node

    def _check_registration_rate(self) -> None:
        if self.registration_rate is not None and not self.state.outlives_pod:
            raise ValueError(
                f"registration_rate cannot be given with state={type(self.state).__name__}(): each new pod would be a "
                "new device, and wait for its turn again"
            )

    def _warn_of_shields(self) -> None:
        if self.shields_up:
            warn(
                "shields_up=True: no device of the tailnet can open a connection to these pods, "
                "which defeats most uses of a sidecar"
            )

    def _check_device_cleanup(self) -> None:
        if self.device_cleanup is None:
            return
        if not self.state.in_secrets:
            raise ValueError(
                f"device_cleanup needs state=SecretState(): with {type(self.state).__name__} only the pod can read which "
                "device is its own"
            )
        if self.state.retained:
            raise ValueError(
                "device_cleanup cannot be given with state=SecretState(retain_state=True), which keeps the identities of "
                "the replicas that go; choose one"
            )
        if (
            self.may_be_elsewhere
            and self.device_cleanup.url(self.login_server) == TAILSCALE_API
            and not self.device_cleanup.retain
        ):
            raise ValueError(
                "device_cleanup.api_url is required with login_server: the devices are not on Tailscale's own control "
                "plane, so give the base URL of an API like Tailscale's, or headscale_api_key for Headscale's own"
            )
        if self.device_cleanup.headscale_api_key is not None and not self.may_be_elsewhere:
            raise ValueError("device_cleanup.headscale_api_key needs login_server, the URL of the Headscale")

    def _check_own_ports(self) -> None:
        if not (self.metrics or self.wait_for_tailnet):
            return
        for port, argument in {**self.dns.ports(), **self.networking.ports()}.items():
            if port == self.metrics_port:
                raise ValueError(f"metrics_port {port} is taken by {argument}; change one")

    @property
    def taken_ports(self) -> dict[int, str]:
        """Ports that the sidecar's containers listen on in the pod, each with the argument that it comes from."""
        ports = dict(self.dns.ports())
        if self.metrics or self.wait_for_tailnet:
            ports[self.metrics_port] = "metrics_port"
        ports.update(self.networking.ports())
        return ports

    @property
    def plain_secrets(self) -> list[str]:
        """Secret values that were given as plain strings."""
        return self.auth.plain_secrets()
