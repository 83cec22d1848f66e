"""What the app's containers look up, from their first instruction on and while tailscaled is killed."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from tailscale_sidecar import ClusterDns, SplitDns
from tests.bench.recovery import PATIENCE
from tests.bench.table import Cell, Rows
from tests.lab import LabError
from tests.lab.shell import wait_for
from tests.support.deployment import APP, Deployment
from tests.support.look_ups import RESOLVERS, TAILNET_NAME, LookUp, failed, look_ups, resolver_containers
from tests.support.sidecar import KILLS, LIMIT, SECONDS_APART, Sidecar, identity
from tests.support.subjects import EVERY_MODE, Bench

CLUSTER_NAME = "kubernetes.default.svc.cluster.local"  # in full: what becomes of the search list is a row of its own
FIRST = 50
TITLE = f"tailscaled killed (-9) {KILLS} times, {SECONDS_APART:.0f} s apart: look-ups until it is back"
POD = {
    "initContainers": [{**APP, "name": "first", "command": ["resolve-musl", CLUSTER_NAME]}],
    "containers": resolver_containers(CLUSTER_NAME, TAILNET_NAME),
    "terminationGracePeriodSeconds": 1,
}


def names(bench: Bench) -> Rows:
    """Look-ups at the start and through three crashes, on musl, glibc and Go; the app's resolv.conf meanwhile."""
    with bench.deployed(EVERY_MODE, pod_spec=POD) as apps:
        yield from apps.rows(TITLE, look_ups_through_crashes)


def look_ups_through_crashes(app: Deployment) -> dict[str, Cell]:
    """What one subject's app saw."""
    with contextlib.suppress(LabError):  # an app that cannot look up has fewer to show
        wait_for("the first look-ups", lambda: has_looked_up(app), 2 * PATIENCE)
    before, crashes = app.devices(), kill_again_and_again(app)
    same = identity(app.devices()) == identity(before)
    with contextlib.suppress(LabError):
        wait_for("one more look-up", lambda: any(one.time > crashes.ended for one in look_ups(app)))
    seen = [one for one in look_ups(app) if is_served(one, app)]
    connected = [one for one in seen if crashes.began - 2 < one.time < crashes.began]
    return {
        f"each resolver's first {FIRST} look-ups in a starting app": share(first_of_each(seen)),
        "three app containers with read-only roots and an init container: look-ups once connected": share(connected),
        TITLE: through(crashes, seen, app, same=same),
        "search list and ndots in the app's resolv.conf, before, during and after": kept(crashes.resolv_confs),
    }


@dataclass(frozen=True)
class Crashes:
    """What came of killing tailscaled again and again."""

    began: float
    seconds_to_return: list[float]
    """Each from the container's start: how long the kubelet waits before that is not the sidecar's to decide."""
    resolv_confs: list[str]
    """Before, during each and after."""
    ended: float

    @property
    def survived(self) -> bool:
        """Whether it came back each time."""
        return len(self.seconds_to_return) == KILLS


def kill_again_and_again(app: Deployment) -> Crashes:
    """Kills tailscaled until it does not come back, or often enough."""
    began, seconds, resolv_confs = time.time(), list[float](), [resolv_conf(app)]
    with contextlib.suppress(LabError):  # that it does not come back is a figure too
        seconds.extend(Sidecar(app).crash_again_and_again(lambda: resolv_confs.append(resolv_conf(app)), PATIENCE))
    return Crashes(began, seconds, [*resolv_confs, resolv_conf(app)], time.time())


def resolv_conf(app: Deployment) -> str:
    """What an app container is told of DNS."""
    return app.exec("cat", "/etc/resolv.conf", container="musl")


def has_looked_up(app: Deployment) -> bool:
    """Whether each resolver has done the first look-ups."""
    seen = [one for one in look_ups(app) if is_served(one, app)]
    return all(len([one for one in seen if one.resolver == resolver]) >= FIRST for resolver in RESOLVERS)


def is_served(look_up: LookUp, app: Deployment) -> bool:
    """Whether the subject's DNS mode promises to find the name."""
    return look_up.name == CLUSTER_NAME or not isinstance(app.arguments["dns"], ClusterDns)


def first_of_each(seen: list[LookUp]) -> list[LookUp]:
    """Each resolver's first look-ups, from its container's first instruction on."""
    return [one for resolver in RESOLVERS for one in [s for s in seen if s.resolver == resolver][:FIRST]]


def share(seen: list[LookUp]) -> Cell:
    """How many failed; none may, and all containers must have looked up."""
    everyone = {one.resolver for one in seen} == {*RESOLVERS}
    return Cell(f"{len(failed(seen))} of {len(seen)} failed", holds=everyone and not failed(seen))


def through(crashes: Crashes, seen: list[LookUp], app: Deployment, *, same: bool) -> Cell:
    """Of those while tailscaled is killed, and what became of the device."""
    during = [one for one in seen if crashes.began < one.time < crashes.ended]
    after = [one for one in seen if one.time > crashes.ended]
    split_dns = isinstance(app.arguments["dns"], SplitDns)
    shares = []
    for kind, of_kind in (
        ("cluster", [one for one in during if one.name == CLUSTER_NAME]),
        ("tailnet", [one for one in during if one.name != CLUSTER_NAME]),
    ):
        if of_kind:
            shares.append(f"{kind} names: {len(failed(of_kind))} of {len(of_kind)} failed")
    # Where all is asked of tailscaled itself, glibc and Go say of half an answer that the name does not exist.
    denied = [one for one in failed(during) if one.error in ("NXDOMAIN", "NODATA")]
    wrong = [one for one in denied if not split_dns or one.resolver == "musl"]
    back = crashes.survived and max(crashes.seconds_to_return) < LIMIT
    text = [
        *shares,
        *([f"{len(denied)} of them said not to exist"] if denied else []),
        f"back in {max(crashes.seconds_to_return):.0f} s" if crashes.survived else f"not back in {PATIENCE} s",
        "same key" if same else "another key",
    ]
    return Cell(
        "; ".join(text), holds=back and same and not wrong and not failed(after if split_dns else during + after)
    )


def kept(resolv_confs: list[str]) -> Cell:
    """Of the file that the kubelet wrote for the app."""
    for text in resolv_confs:
        search = next((line for line in text.splitlines() if line.startswith("search ")), "no search list")
        if "svc.cluster.local" not in search or "ndots:5" not in text:
            return Cell(f"replaced: `{search}`, {'' if 'ndots' in text else 'no '}ndots", holds=False)
    return Cell("kept")
