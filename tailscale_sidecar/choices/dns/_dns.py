from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ...pod.additions import Additions, Surroundings
from ...pod.contract import APP_RESOLV_CONF, RESOLV_CONF, RUN_VOLUME
from ...pod.model import Model
from ...pod.objects import Json, env_value


class Dns(Model):
    """Base of the DNS modes. In none of them can tailscaled write the file that the app reads."""

    needs_tun: ClassVar[bool]
    """Whether the app must reach Tailscale's resolver 100.100.100.100, which only kernel networking gives it."""

    @abstractmethod
    def additions(self, pod: Surroundings) -> Additions:
        """What this mode adds to the pod."""

    @property
    def takes_tailscales_domain(self) -> bool:
        """Whether nobody said which names are the tailnet's, so that those below Tailscale's own domain are."""
        return False

    def ports(self) -> dict[int, str]:
        """Ports that this mode listens on in the pod, each with the argument that it comes from."""
        return {}


def resolvers(*, accept_dns: bool, app_nameserver: str = "") -> Additions:
    """Tells the scripts which resolv.conf the app gets: the kubelet's with this one nameserver, or the kubelet's own."""
    # scripts/prepare.sh has written it before any of the user's containers is made.
    app_file: Json = {"name": RUN_VOLUME, "mountPath": RESOLV_CONF, "subPath": APP_RESOLV_CONF, "readOnly": True}
    return Additions(
        env=(env_value("TS_ACCEPT_DNS", str(accept_dns).lower()),),
        prepare_env=(env_value("APP_NAMESERVER", app_nameserver),),
        app_mounts=(app_file,) if app_nameserver else (),
    )
