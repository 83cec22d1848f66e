from __future__ import annotations

from typing import ClassVar, Self

from pydantic import field_validator, model_validator
from typing_extensions import override

from ...pod import rules
from ...pod.additions import Additions, Surroundings
from ...pod.objects import Json, env_value
from ._networking import Networking

# Whatever the pod's securityContext asks of the app, the sidecar needs root.
ROOT: Json = {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False}


class KernelNetworking(Networking):
    """A tun device in the pod: every program in it reaches the tailnet, and is reached, by plain IP.

    The namespace must allow Pod Security `privileged`, whatever the arguments: `baseline` forbids NET_ADMIN.
    """

    kernel: ClassVar[bool] = True

    tun_device: str | None = None
    """Resource name of a device plugin that gives /dev/net/tun, such as `devic.es/tun`, or of a DeviceClass that stands
    for one (`extendedResourceName`). The sidecar is then not privileged, but has NET_ADMIN and NET_RAW."""
    privileged: bool | None = None
    """False without `tun_device`: the sidecar has NET_ADMIN, NET_RAW and MKNOD alone, and makes /dev/net/tun itself. The
    nodes' runtime must allow that: runc does, but for 1.2.0 to 1.2.3. Default: privileged, as in the guide and the
    operator, unless there is a `tun_device`.

    Where it is not privileged /proc/sys is read-only, so advertising routes needs the sysctls in
    `pod_spec.securityContext.sysctls`, or a `user_namespace`."""
    user_namespace: bool = False
    """Whether the pod has users of its own (`hostUsers: false`): its root, privileged too, is nobody on the node. Needs
    Kubernetes 1.33, containerd 2.0 or CRI-O 1.25, Linux 6.3, and a /dev/net/tun that any user may open (mode 0666, as udev
    makes it). The sidecar refuses to start where a cluster dropped the field."""

    @field_validator("tun_device")
    @classmethod
    def _check_tun_device(cls, tun_device: str | None) -> str | None:
        if tun_device is not None:
            if "/" not in tun_device:
                raise ValueError(f"tun_device {tun_device!r} must have its domain before it, such as devic.es/tun")
            rules.map_key(tun_device, "tun_device")
        return tun_device

    @model_validator(mode="after")
    def _check_privileges(self) -> Self:
        if self.privileged and self.tun_device is not None:
            raise ValueError("privileged=True has every device; remove it, or tun_device")
        if self.privileged is False and self.tun_device is None and self.user_namespace:
            raise ValueError(
                "privileged=False needs tun_device with user_namespace=True: in a user namespace nobody can make "
                "/dev/net/tun. Give tun_device, or leave privileged out: the sidecar is then privileged in its namespace only"
            )
        return self

    @override
    def security_context(self, *, routes: bool) -> Json:
        if self.is_privileged:
            return {**ROOT, "privileged": True}
        # NET_RAW is for the legacy iptables of the stock image.
        make_device = ["MKNOD"] if self.tun_device is None else []
        return {
            **ROOT,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW", *make_device]},
            "seccompProfile": {"type": "RuntimeDefault"},
            # Else /proc/sys is read-only. Kubernetes allows it in user namespaces only, where there is nothing else to gain.
            **({"procMount": "Unmasked"} if routes and self.can_route else {}),
        }

    @override
    def additions(self, pod: Surroundings) -> Additions:
        del pod
        # `auto` picks iptables or nftables by what the node uses, as the operator's proxies do.
        return Additions(
            env=(env_value("TS_USERSPACE", "false"), env_value("TS_DEBUG_FIREWALL_MODE", "auto")),
            scripts=("users.sh",) if self.user_namespace else (),
        )

    @override
    def check_pod(self, spec: Json, path: str) -> None:
        users = spec.get("hostUsers", not self.user_namespace)
        if self.user_namespace and users is not False:
            raise ValueError(
                f"{path}.hostUsers contradicts networking=KernelNetworking(user_namespace=True); remove one"
            )
        if not self.user_namespace and users is not True:
            raise ValueError(f"{path}.hostUsers cannot be set: use networking=KernelNetworking(user_namespace=True)")

    @property
    @override
    def pod_fields(self) -> Json:
        return {"hostUsers": False} if self.user_namespace else {}

    @property
    @override
    def is_privileged(self) -> bool:
        return self.tun_device is None if self.privileged is None else self.privileged

    @property
    @override
    def can_route(self) -> bool:
        return self.is_privileged or self.user_namespace

    @property
    @override
    def device_limits(self) -> Json:
        return {} if self.tun_device is None else {self.tun_device: 1}
