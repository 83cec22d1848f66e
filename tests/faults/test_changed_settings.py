"""A setting that is changed and applied again takes effect on every replica, on the same device and without a crash."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import pytest

from tailscale_sidecar import ClusterDns
from tests.lab.settings import FAMILIES
from tests.support.deployment import Deployment, Workspace
from tests.support.sidecar import Sidecar, identity

CLUSTER = [cidr for family in FAMILIES for cidr in (family.pods, family.services)]
CHANGES: dict[str, Any] = {
    "accept_routes": True,
    "cluster_cidrs": [*CLUSTER, "10.200.0.0/24"],
    "advertise_routes": ["10.77.0.0/16", "fd77::/64"],
    "shields_up": True,
    "dns": ClusterDns(),
    "extra_args": ["--exit-node=100.64.77.77", "--snat-subnet-routes=false"],
}
PREFS: dict[str, Any] = {
    "RouteAll": True,
    "AdvertiseRoutes": ["10.77.0.0/16", "fd77::/64"],
    "ShieldsUp": True,
    "CorpDNS": False,
    "ExitNodeIP": "100.64.77.77",
    "NoSNAT": True,
}


class Replica(NamedTuple):
    """What a replica and the control plane say of its settings."""

    prefs: dict[str, Any]
    advertised_routes: tuple[str, ...]
    hostname: str


class Stage(NamedTuple):
    """All replicas, after a roll-out."""

    replicas: list[Replica]
    identity: object
    restarts: list[int]


@pytest.fixture(scope="module")
def stages(shared_workspace: Workspace) -> list[Stage]:
    """As deployed, with everything changed, and with everything as it was."""
    app = shared_workspace.deploy(
        replicas=2, pod_management_policy="Parallel", update_strategy={"rollingUpdate": {"maxUnavailable": 2}}
    )
    before = dict(app.arguments)
    return [look(app), changed(app, {**before, **CHANGES, "hostname": f"{app.name}-new"}), changed(app, before)]


def changed(app: Deployment, arguments: dict[str, Any]) -> Stage:
    app.arguments = arguments
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that shields_up defeats most uses of a sidecar
        app.apply()
    return look(app)


def look(app: Deployment) -> Stage:
    devices = app.workspace.tailnet.await_devices(app.name, app.replicas)
    replicas = [
        Replica(Sidecar(app, ordinal).prefs(), device.advertised_routes, device.hostname)
        for ordinal, device in enumerate(devices)
    ]
    return Stage(replicas, identity(devices), [app.restarts(ordinal) for ordinal in range(app.replicas)])


@pytest.mark.matrix
@pytest.mark.parametrize("pref", PREFS)
def test_it_takes_effect_on_every_replica(stages: list[Stage], pref: str) -> None:
    _, changed, _ = stages
    assert [sorted_if_list(replica.prefs[pref]) for replica in changed.replicas] == 2 * [sorted_if_list(PREFS[pref])]


@pytest.mark.matrix
@pytest.mark.parametrize("pref", PREFS)
def test_taken_back_it_is_as_if_it_had_never_been(stages: list[Stage], pref: str) -> None:
    before, _, after = stages
    assert [replica.prefs[pref] for replica in after.replicas] == [replica.prefs[pref] for replica in before.replicas]


@pytest.mark.matrix
def test_the_control_plane_learns_of_routes_and_host_names(stages: list[Stage]) -> None:
    before, changed, after = stages
    assert {tuple(sorted(replica.advertised_routes)) for replica in changed.replicas} == {
        tuple(sorted(PREFS["AdvertiseRoutes"]))
    }
    assert [replica.hostname[-6:] for replica in changed.replicas] == ["-new-0", "-new-1"]
    assert [replica[1:] for replica in after.replicas] == [replica[1:] for replica in before.replicas]


@pytest.mark.matrix
def test_no_device_is_new_and_no_sidecar_crashes(stages: list[Stage]) -> None:
    assert len({str(stage.identity) for stage in stages}) == 1
    assert [stage.restarts for stage in stages] == 3 * [[0, 0]]


def sorted_if_list(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def test_ssh_that_the_tailnet_does_not_allow_keeps_no_pod_down(workspace: Workspace) -> None:
    app = workspace.deploy()
    app.change(extra_args=["--ssh=true"], advertise_exit_node=True)
    sidecar = Sidecar(app)
    assert "going on without --ssh=true" in app.logs()
    assert sidecar.prefs()["AdvertiseRoutes"] == ["0.0.0.0/0", "::/0"]
    assert sidecar.status()["restartCount"] == 0
