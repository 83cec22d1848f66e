from __future__ import annotations

from typing import ClassVar

from pydantic import field_validator
from typing_extensions import override

from ...pod import rules
from ...pod.additions import Additions, Surroundings
from ...pod.objects import Json, env_value
from ._networking import Networking

# Whatever the pod's securityContext asks of the app, the sidecar needs root.
ROOT: Json = {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False}


class KernelNetworking(Networking):
    """A tun device in the pod: every program in it reaches the tailnet, and is reached, by plain IP.

    The namespace must allow Pod Security `privileged`, with a device plugin too: `baseline` forbids NET_ADMIN.
    """

    kernel: ClassVar[bool] = True

    tun_device: str | None = None
    """Resource name of a device plugin that gives /dev/net/tun, such as `devic.es/tun`. The sidecar is then not
    privileged, but has NET_ADMIN and NET_RAW; /proc/sys is read-only, so advertising routes needs the sysctls in
    `pod_spec.securityContext.sysctls`. Default: privileged, as in the guide and the operator."""

    @field_validator("tun_device")
    @classmethod
    def _check_tun_device(cls, tun_device: str | None) -> str | None:
        if tun_device is not None:
            if "/" not in tun_device:
                raise ValueError(f"tun_device {tun_device!r} must have its domain before it, such as devic.es/tun")
            rules.map_key(tun_device, "tun_device")
        return tun_device

    @property
    @override
    def security_context(self) -> Json:
        if self.tun_device is None:
            return {**ROOT, "privileged": True}
        # NET_RAW is for the legacy iptables of the stock image.
        return {**ROOT, "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}}

    @override
    def additions(self, pod: Surroundings) -> Additions:
        del pod
        # `auto` picks iptables or nftables by what the node uses, as the operator's proxies do.
        return Additions(env=(env_value("TS_USERSPACE", "false"), env_value("TS_DEBUG_FIREWALL_MODE", "auto")))

    @property
    @override
    def is_privileged(self) -> bool:
        return self.tun_device is None

    @property
    @override
    def device_limits(self) -> Json:
        return {} if self.tun_device is None else {self.tun_device: 1}
