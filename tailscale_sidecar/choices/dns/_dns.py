from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ...pod.additions import Additions
from ...pod.model import Model
from ...pod.objects import Json, env_value

if TYPE_CHECKING:
    from ...component.args import TailscaleSidecarStatefulSetArgs

RUN_VOLUME = "tailscale-run"
"""The volume in memory that scripts/prepare.sh and scripts/start.sh write to."""
APP_RESOLV_CONF: Json = {"name": RUN_VOLUME, "mountPath": "/etc/resolv.conf", "subPath": "app.conf", "readOnly": True}
"""What scripts/prepare.sh has written before any of the user's containers is made."""


class Dns(Model):
    """Base of the DNS modes. In none of them can tailscaled write the file that the app reads."""

    needs_tun: ClassVar[bool]
    """Whether the app must reach Tailscale's resolver 100.100.100.100, which only kernel networking gives it."""

    @abstractmethod
    def additions(self, args: TailscaleSidecarStatefulSetArgs) -> Additions:
        """What this mode adds to the pod."""

    def ports(self) -> dict[int, str]:
        """Ports that this mode listens on in the pod, each with the argument that it comes from."""
        return {}


def resolvers(*, accept_dns: bool, app_nameserver: str = "") -> Additions:
    """Tells the scripts which resolv.conf the app gets: the kubelet's with this one nameserver, or the kubelet's own."""
    return Additions(
        env=(env_value("TS_ACCEPT_DNS", str(accept_dns).lower()),),
        prepare_env=(env_value("APP_NAMESERVER", app_nameserver),),
        app_mounts=(APP_RESOLV_CONF,) if app_nameserver else (),
    )
