"""The API server or the control plane is away, or the control plane limits who may register."""

from __future__ import annotations

import time
from functools import partial

from tests.bench.recovery import Before, restarts, seconds_until_back, trouble
from tests.bench.table import Cell, Rows, counted
from tests.lab.shell import step
from tests.support.deployment import Deployment
from tests.support.outages import api_server_away, control_plane_away
from tests.support.peer import Peer
from tests.support.sidecar import Sidecar, identity
from tests.support.state import saved
from tests.support.subjects import DEFAULT, Bench

SECONDS = 120
"""How long somebody is away."""
GAP = 3.0
"""Seconds without a connection that a peer may notice: its attempts last up to 1 s."""
LIMITED_SECONDS = 90
"""Longer than it takes to start all, and than containerboot waits unless told otherwise (TS_BOOT_TIMEOUT, 60 s)."""
REGISTRATION_PATIENCE = 90
LIMITED_REPLICAS = 20
MOST_REQUESTS = 20
"""Of one replica while it is refused and until it is in: to register, as often as it is told to, and for keys."""


def outages(bench: Bench) -> Rows:
    """Traffic goes on while somebody is away, and nothing restarts."""
    with bench.deployed(DEFAULT) as apps:
        peers = dict(apps.each(lambda app: (app.name, Peer.of(app))).values())
        for who, away in (("API server", api_server_away), ("control plane", control_plane_away)):
            before = {one.app.name: one for one in apps.each(Before.of).values()}
            with step(f"{who} away"), away(bench.lab, bench.tailnet):
                time.sleep(SECONDS)  # how long the fault lasts
            yield apps.row(
                f"{who} away for {SECONDS} s: connections of a peer",
                partial(talked, peers, before, time.time()),
            )


def talked(peers: dict[str, Peer], seen: dict[str, Before], ended: float, app: Deployment) -> Cell:
    """Whether a peer noticed, and what became of the replica."""
    before = seen[app.name]
    gap = peers[app.name].longest_gap(before.time, ended)
    connected = seconds_until_back(app, ended) is not None
    same = identity(app.devices()) == before.identity
    Sidecar(app).tailscale("set", f"--nickname=after-{ended:.0f}")
    is_saved = f"after-{ended:.0f}" in saved(app)
    restarted = before.has_restarted()
    text = [
        f"longest gap {gap:.1f} s",
        "restarted" if restarted else "nothing restarts",
        "same key" if same and connected else "not the same device",
        "state saved" if is_saved else "state not saved",
    ]
    return Cell("; ".join(text), holds=gap < GAP and connected and same and is_saved and not restarted)


def rate_limit(bench: Bench) -> Rows:
    """The control plane answers 429 to new replicas."""
    at_once = {"pod_management_policy": "Parallel", "allow_registration_burst": True}
    with bench.apps(DEFAULT, replicas=LIMITED_REPLICAS, **at_once) as apps:
        bench.tailnet.call("DELETE", "/lab/requests")
        limit = {"target": "register", "seconds": LIMITED_SECONDS, "retry_after": 10}
        bench.tailnet.call("POST", "/lab/faults", limit)
        passes = time.time() + LIMITED_SECONDS
        apps.each(lambda app: app.apply(wait=False))
        title = f"429 with Retry-After for {LIMITED_SECONDS} s to {LIMITED_REPLICAS} new replicas"
        yield apps.row(title, lambda app: registered(app, passes))


def registered(app: Deployment, passes: float) -> Cell:
    """When all replicas are in, and what it took."""
    seconds = seconds_until_back(app, passes, passes - time.time() + REGISTRATION_PATIENCE)
    if seconds is None:
        return Cell(f"not all registered {REGISTRATION_PATIENCE} s after the limit; {trouble(app)}", holds=False)
    addresses = {app.status(ordinal)["podIP"] for ordinal in range(app.replicas)}
    all_registrations = app.workspace.tailnet.requests("/machine/register")
    registrations = [one for one in all_registrations if one["remote"].rpartition(":")[0] in addresses]
    keys, logins = len(app.credential_requests()) / app.replicas, len(registrations) / app.replicas
    crashes = sum(restarts(app, ordinal) for ordinal in range(app.replicas))
    text = [
        counted(crashes, "restart"),
        f"all registered {seconds:.0f} s after the limit",
        f"a replica asked {keys:.0f} times for tokens and keys, {logins:.0f} times to register",
    ]
    return Cell("; ".join(text), holds=crashes == 0 and keys + logins <= MOST_REQUESTS)
