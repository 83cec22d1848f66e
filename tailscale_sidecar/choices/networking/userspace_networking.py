from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from ...pod.additions import Additions
from ...pod.objects import Json, env_value
from ._networking import Networking

UID = 1000
"""The user that Tailscale's own userspace sidecar runs as (tailscale.com@v1.102.5 docs/k8s/userspace-sidecar.yaml)."""


class UserspaceNetworking(Networking):
    """No device and no privileges: it passes Pod Security `restricted`.

    Connections from the tailnet reach the app's ports on 127.0.0.1, those that listen on localhost only included. The
    app reaches the tailnet through a proxy, SOCKS5 and HTTP on the same port, which looks tailnet names up as well.
    """

    kernel: ClassVar[bool] = False

    proxy_port: int = Field(default=1055, ge=1, le=65535)
    """Port of the proxy on localhost."""

    @property
    @override
    def security_context(self) -> Json:
        return {
            "runAsUser": UID,
            "runAsGroup": UID,
            "runAsNonRoot": True,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    @override
    def additions(self) -> Additions:
        proxy = f"localhost:{self.proxy_port}"
        return Additions(
            env=(
                env_value("TS_USERSPACE", "true"),
                env_value("TS_SOCKS5_SERVER", proxy),
                env_value("TS_OUTBOUND_HTTP_PROXY_LISTEN", proxy),
            ),
            volumes=({"name": "tailscale-tmp", "emptyDir": {}},),
            mounts=({"name": "tailscale-tmp", "mountPath": "/tmp"},),  # noqa: S108 - containerboot's socket is there
        )

    @override
    def ports(self) -> dict[int, str]:
        return {self.proxy_port: "networking=UserspaceNetworking(proxy_port=...)"}
