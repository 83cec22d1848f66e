from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from ...pod.additions import Additions
from ._dns import Dns, resolvers

if TYPE_CHECKING:
    from ...component.args import TailscaleSidecarStatefulSetArgs


class ClusterDns(Dns):
    """The app uses the cluster's DNS as if there were no tailnet, and reaches tailnet devices by address."""

    needs_tun: ClassVar[bool] = False

    @override
    def additions(self, args: TailscaleSidecarStatefulSetArgs) -> Additions:
        del args
        return resolvers(accept_dns=False)
