"""A setting is changed and applied again: by `up` with the component, by `kubectl apply` with the guide's manifest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tailscale_sidecar import ClusterDns, OAuthClient
from tests.bench.recovery import PATIENCE, Before, restarts, seconds_until, trouble
from tests.bench.table import Cell, Rows, counted
from tests.lab import LabError
from tests.support.deployment import Deployment
from tests.support.peer import Peer
from tests.support.sidecar import Sidecar, seconds_of
from tests.support.subjects import DEFAULT, Bench, is_connected
from tests.support.watching import watching

ROUTE, TAG = "10.77.0.0/16", "tag:db"
WATCHED = 0.5
"""Seconds by which the control plane may be asked late."""


@dataclass(frozen=True)
class Change:
    """A change of the arguments."""

    title: str
    arguments: Callable[[Deployment], dict[str, Any]]
    in_force: Callable[[Deployment], bool]


def client_for(tag: str, app: Deployment) -> OAuthClient:
    """A credential that gives a device that tag."""
    client_id, secret = app.workspace.tailnet.oauth_client(tags=[tag])
    return OAuthClient(client_id=client_id, client_secret=secret)


def prefs(app: Deployment) -> dict[str, Any]:
    """The settings that tailscaled has in force."""
    return Sidecar(app).prefs()


CHANGES = (
    Change("accept_routes switched on", lambda _: {"accept_routes": True}, lambda app: prefs(app)["RouteAll"]),
    Change(
        "advertise_routes given, and the exit node",
        lambda _: {"advertise_routes": [ROUTE], "advertise_exit_node": True},
        lambda app: {ROUTE, "0.0.0.0/0"} <= {*prefs(app)["AdvertiseRoutes"]},
    ),
    Change("DNS mode changed", lambda _: {"dns": ClusterDns()}, lambda app: not prefs(app)["CorpDNS"]),
    Change(
        "hostname changed",
        lambda app: {"hostname": f"{app.name}-new"},
        lambda app: app.devices()[0].hostname == f"{app.name}-new-0",
    ),
)
TAGS = Change(
    "tags changed, with a credential for them",
    lambda app: {"tags": [TAG], "auth": client_for(TAG, app)},
    lambda app: app.devices()[0].tags == (TAG,),
)
SHIELDS = Change("shields_up switched on", lambda _: {"shields_up": True}, lambda app: prefs(app)["ShieldsUp"])
REMOVAL = Change(
    "accept_routes, routes, exit node and shields_up removed",
    lambda _: {
        "accept_routes": False,
        "advertise_routes": [],
        "advertise_exit_node": False,
        "shields_up": False,
    },
    lambda app: not any(prefs(app)[pref] for pref in ("RouteAll", "AdvertiseRoutes", "ShieldsUp")),
)


def settings(bench: Bench) -> Rows:
    """Each change on top of the one before."""
    with bench.deployed(DEFAULT, accept_routes=False) as apps:
        peers = dict(apps.each(lambda app: (app.name, Peer.of(app))).values())
        yield apps.row(TAGS.title, lambda app: retagged(app, peers[app.name]))
        yield apps.row(SHIELDS.title, lambda app: shielded(app, peers[app.name]))
        for change in (*CHANGES, REMOVAL):
            yield apps.row(change.title, partial(changed, change=change))


def changed(app: Deployment, change: Change) -> Cell:
    """Applies a change, and waits until it is in force."""
    before, devices = Before.of(app), app.devices()
    app.change(wait=False, **change.arguments(app))

    def in_force() -> bool:
        try:
            return before.has_restarted() and is_connected(app) and change.in_force(app)
        except LabError:
            return False  # the sidecar does not run

    seconds = seconds_until(in_force, app, before.time)
    if seconds is None:
        return Cell(f"not in force in {PATIENCE} s; {trouble(app)}", holds=False)
    same = [(d.id, d.addresses) for d in app.devices()] == [(d.id, d.addresses) for d in devices]
    crashes = restarts(app)
    text = [
        f"in force after {seconds:.0f} s",
        "same device" if same else "another device",
        *([counted(crashes, "crash")] if crashes else []),
    ]
    return Cell("; ".join(text), holds=same and not crashes)


def retagged(app: Deployment, peer: Peer) -> Cell:
    """Whether anybody connects to the new pod while its device has the old tags."""
    with watching(app) as seen:
        cell = changed(app, TAGS)
    tagged = min((one.time for one in seen if one.device.tags == (TAG,)), default=math.inf)
    return with_let_in(cell, app, peer, until=tagged - WATCHED)


def shielded(app: Deployment, peer: Peer) -> Cell:
    """Whether anybody connects to the new pod once shields are asked for."""
    return with_let_in(changed(app, SHIELDS), app, peer)


def with_let_in(cell: Cell, app: Deployment, peer: Peer, until: float = math.inf) -> Cell:
    """Adds how many connections the new pod let in that it should not have."""
    started = seconds_of(app.status()["startTime"]) + 1  # its fractions are cut off
    let_in = [moment for moment in peer.connected() if started < moment < until]
    text = f"{cell.text}; {counted(len(let_in), 'connection')} let in meanwhile"
    return replace(cell, text=text, holds=cell.holds and not let_in)
