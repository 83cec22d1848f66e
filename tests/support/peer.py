"""Another device of the tailnet, which goes on connecting to a replica."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

from tests.support.deployment import Deployment


@dataclass(frozen=True)
class Peer:
    """Another device, which connects to the first replica as often as it can."""

    peer: Deployment

    @staticmethod
    def of(app: Deployment) -> Peer:
        """Deploys one, and waits until it has connected."""
        peer = app.workspace.deploy("peer")
        url = f"http://{app.device().addresses[0]}/"
        look = f"read -r began rest </proc/uptime; if fetch -timeout 1s {url} >/dev/null; then echo $began; fi"
        peer.exec("sh", "-c", f"while :; do {look}; sleep 0.05; done >/tmp/connected 2>/dev/null </dev/null &")
        found = Peer(peer)
        found.await_connection()
        return found

    def connected(self) -> list[float]:
        """When connections that worked began."""
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        uptimes = self.peer.exec("cat", "/tmp/connected").split()  # noqa: S108 - in the peer's container
        return [booted + float(uptime) for uptime in uptimes]

    def longest_gap(self, began: float, ended: float) -> float:
        """The longest time without a connection that worked, between two moments."""
        moments = [began, *(moment for moment in self.connected() if began < moment < ended), ended]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def await_connection(self) -> None:
        """Waits until it connects once more."""
        before = len(self.connected())
        self.peer.wait_for("a connection", lambda: len(self.connected()) > before)
