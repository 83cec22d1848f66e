from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from ...pod.additions import Additions, Surroundings
from ...pod.contract import QUAD100
from ._dns import Dns, resolvers


class SplitDns(Dns):
    """The app asks Tailscale's resolver for everything, and the tailnet sends the cluster's names back to the cluster.

    The tailnet needs a split DNS route for the cluster's domain (`svc.cluster.local`, or one of its own for each
    cluster) to the cluster's DNS address, unless the tailnet has no global nameservers; `SplitDnsRoute` makes one.
    While the sidecar is down, the app can look nothing up. There is no second resolver on purpose: musl asks all of
    them at once and takes the first answer, so the cluster's NXDOMAIN would win over the tailnet's address.
    """

    needs_tun: ClassVar[bool] = True

    @override
    def additions(self, pod: Surroundings) -> Additions:
        del pod
        return resolvers(accept_dns=True, app_nameserver=QUAD100)
