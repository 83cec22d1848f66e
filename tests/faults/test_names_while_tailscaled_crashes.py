"""What the app's containers look up, from their first instruction on and while tailscaled is killed again and again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tailscale_sidecar import ClusterDns, InPodSplitDns, SplitDns
from tailscale_sidecar.choices.dns import Dns
from tests.lab.tailnet_client import Device
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.look_ups import CLUSTER_NAME, RESOLVERS, TAILNET_NAME, LookUp, failed, look_ups, resolver_containers
from tests.support.sidecar import KILLS, LIMIT, Sidecar, identity

pytestmark = pytest.mark.timed

MODES: tuple[Dns, ...] = (InPodSplitDns(), SplitDns(), ClusterDns())
EVERY_MODE = [type(dns).__name__ for dns in MODES]
FIRST = 50


@dataclass(frozen=True)
class Crashed:
    """What was seen of one replica whose tailscaled was killed."""

    app: Deployment
    devices_before: list[Device]
    devices_after: list[Device]
    seconds_to_return: list[float]
    resolv_conf: list[str]
    """Before, during each and after the crashes."""
    look_ups: list[LookUp]
    back_since: float
    """Time of the last return to the tailnet."""


@pytest.fixture(scope="module")
def crashed(shared_workspace: Workspace) -> dict[str, Crashed]:
    """One replica for each mode, all at once."""
    with ThreadPoolExecutor(len(MODES)) as pool:
        apps = [shared_workspace.deploy(wait=False, dns=dns, pod_spec=pod_spec(dns)) for dns in MODES]
        return dict(zip(EVERY_MODE, pool.map(crash, apps), strict=True))


def pod_spec(dns: Dns) -> dict[str, Any]:
    """Three app containers that do nothing but look up, and an init container that must find a name to succeed."""
    names = [CLUSTER_NAME] if isinstance(dns, ClusterDns) else [CLUSTER_NAME, TAILNET_NAME]
    return {
        "initContainers": [{**APP, "name": "first", "command": ["resolve-musl", CLUSTER_NAME]}],
        "containers": resolver_containers(*names),
        "terminationGracePeriodSeconds": 1,
    }


def crash(app: Deployment) -> Crashed:
    app.await_ready()
    app.wait_for(f"{FIRST} look-ups of each resolver", lambda: has_looked_up(app, FIRST))
    sidecar, before = Sidecar(app), app.devices()
    resolv_conf = [read_resolv_conf(app)]
    seconds = [*sidecar.crash_again_and_again(lambda: resolv_conf.append(read_resolv_conf(app)))]
    back_since = time.time()
    resolv_conf.append(read_resolv_conf(app))
    looked_up = len(look_ups(app))
    app.wait_for("more look-ups", lambda: len(look_ups(app)) > looked_up + 10 * len(RESOLVERS))
    return Crashed(app, before, app.devices(), seconds, resolv_conf, look_ups(app), back_since)


def has_looked_up(app: Deployment, count: int) -> bool:
    found = look_ups(app)
    return all(sum(one.resolver == resolver for one in found) >= count for resolver in RESOLVERS)


def read_resolv_conf(app: Deployment) -> str:
    return app.exec("cat", "/etc/resolv.conf", container="musl")


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_no_resolver_fails_from_the_first_instruction_on(crashed: dict[str, Crashed], mode: str) -> None:
    for resolver in RESOLVERS:
        of_one = [one for one in crashed[mode].look_ups if one.resolver == resolver]
        assert failed(of_one[:FIRST]) == []


@pytest.mark.parametrize("mode", ["InPodSplitDns", "ClusterDns"])
def test_no_look_up_of_a_cluster_name_fails_while_tailscaled_is_killed(crashed: dict[str, Crashed], mode: str) -> None:
    assert failed([one for one in crashed[mode].look_ups if one.name == CLUSTER_NAME]) == []


def test_with_a_resolver_in_the_pod_tailnet_names_keep_their_address_while_tailscaled_is_killed(
    crashed: dict[str, Crashed],
) -> None:
    assert failed([one for one in crashed["InPodSplitDns"].look_ups if one.name != CLUSTER_NAME]) == []


def test_with_split_dns_all_look_ups_work_again_when_the_replica_is_back(crashed: dict[str, Crashed]) -> None:
    seen = crashed["SplitDns"]
    assert failed([one for one in seen.look_ups if one.time > seen.back_since]) == []


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_no_name_is_ever_said_not_to_exist(crashed: dict[str, Crashed], mode: str) -> None:
    # With SplitDns all ask tailscaled itself, and where it is killed before it has answered all that one look-up asks, glibc
    # and Go make a no of the rest; musl does not. Nothing in the pod can change that.
    asked = [one for one in crashed[mode].look_ups if mode != "SplitDns" or one.resolver == "musl"]
    assert [one for one in failed(asked) if one.error in ("NXDOMAIN", "NODATA")] == []


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_the_replica_is_back_on_the_tailnet_soon_after_each_start(crashed: dict[str, Crashed], mode: str) -> None:
    assert len(crashed[mode].seconds_to_return) == KILLS
    assert max(crashed[mode].seconds_to_return) < LIMIT


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_the_replica_stays_the_same_device(crashed: dict[str, Crashed], mode: str) -> None:
    seen = crashed[mode]
    assert len(seen.devices_before) == 1
    assert identity(seen.devices_after) == identity(seen.devices_before)
    assert len(seen.app.credential_requests()) == 2  # a token and a key, at the first login


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_the_kubelets_search_list_and_ndots_stay_in_the_apps_resolv_conf(
    crashed: dict[str, Crashed], mode: str
) -> None:
    seen = crashed[mode]
    (lines,) = {tuple(text.splitlines()) for text in seen.resolv_conf}
    namespace = seen.app.workspace.namespace
    assert f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local" in lines
    assert "options ndots:5" in lines
