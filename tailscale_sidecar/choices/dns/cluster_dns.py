from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from ...pod.additions import Additions, Surroundings
from ._dns import Dns, resolvers


class ClusterDns(Dns):
    """The app uses the cluster's DNS as if there were no tailnet, and reaches tailnet devices by address."""

    needs_tun: ClassVar[bool] = False

    @override
    def additions(self, pod: Surroundings) -> Additions:
        del pod
        return resolvers(accept_dns=False)
