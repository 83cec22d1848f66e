from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from ...pod.additions import Additions, Surroundings
from ...pod.contract import TMP_VOLUME, USERSPACE_UID
from ...pod.objects import Json, env_value
from ._networking import Networking


class UserspaceNetworking(Networking):
    """No device and no privileges: it passes Pod Security `restricted`.

    Connections from the tailnet reach the app's ports on 127.0.0.1, those that listen on localhost only included. The
    app reaches the tailnet through a proxy, SOCKS5 and HTTP on the same port, which looks tailnet names up as well.
    """

    kernel: ClassVar[bool] = False

    proxy_port: int = Field(default=1055, ge=1, le=65535)
    """Port of the proxy on localhost."""

    @override
    def security_context(self, *, routes: bool) -> Json:
        del routes
        return {
            "runAsUser": USERSPACE_UID,
            "runAsGroup": USERSPACE_UID,
            "runAsNonRoot": True,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    @override
    def additions(self, pod: Surroundings) -> Additions:
        del pod
        proxy = f"localhost:{self.proxy_port}"
        return Additions(
            env=(
                env_value("TS_USERSPACE", "true"),
                env_value("TS_SOCKS5_SERVER", proxy),
                env_value("TS_OUTBOUND_HTTP_PROXY_LISTEN", proxy),
            ),
            # In memory: a volume on the node's disk would keep the Cluster Autoscaler from removing the node.
            volumes=({"name": TMP_VOLUME, "emptyDir": {"medium": "Memory"}},),
            mounts=({"name": TMP_VOLUME, "mountPath": "/tmp"},),  # noqa: S108 - containerboot's socket is there
        )

    @override
    def ports(self) -> dict[int, str]:
        return {self.proxy_port: "networking=UserspaceNetworking(proxy_port=...)"}
