"""The sidecar, or what runs it, is killed or restarted."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.recovery import Before, recoveries
from tests.bench.table import Cell, Rows
from tests.lab.shell import wait_for
from tests.support.deployment import Deployment
from tests.support.sidecar import Sidecar
from tests.support.subjects import DEFAULT, Bench, restart

MEMORY = 192
"""MiB that the sidecar may use. A file in memory counts too, and is small prey beside tailscaled."""
HOG = f"mkdir /tmp/hog; mount -t tmpfs hog /tmp/hog; dd if=/dev/zero of=/tmp/hog/file bs=1M count={2 * MEMORY}"


def crashes(bench: Bench) -> Rows:
    """Ends of the sidecar's container other than tailscaled's own."""
    with bench.deployed(DEFAULT, resources={"limits": {"memory": f"{MEMORY}Mi"}}) as apps:
        yield apps.row(
            "containerboot killed (-9)", lambda app: crashed(app, lambda: Sidecar(app).kill("containerboot"))
        )
        apps.each(restart)
        yield apps.row("sidecar out of memory", lambda app: crashed(app, lambda: Sidecar(app).shell(HOG)))


def crashed(app: Deployment, fault: Callable[[], object]) -> Cell:
    """Ends the sidecar, and waits until it is back."""
    before = Before.of(app)
    fault()
    wait_for("the sidecar to end", before.has_restarted)
    return before.recovery()


def node_restarts(bench: Bench) -> Rows:
    """What the node's own programs do, or the node itself."""
    with bench.deployed(DEFAULT) as apps:
        yield recoveries(apps, "kubelet restarted", lambda: bench.lab.restart("kubelet"))
        yield recoveries(apps, "containerd restarted", lambda: bench.lab.restart("containerd"))
        yield recoveries(apps, "node rebooted", bench.lab.reboot_node, restarts=True)
