"""What the app's containers look up, from their first instruction and while tailscaled is killed again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from tailscale_sidecar import ClusterDns, InPodSplitDns, SplitDns
from tailscale_sidecar.dns import Dns
from tests.cluster.deployment import APP, Deployment, Workspace
from tests.cluster.test_dns import split_route
from tests.lab.tailnet_client import Tailnet

from .look_ups import CLUSTER_NAME, RESOLVERS, TAILNET_NAME, LookUp, failed, look_ups, resolver_containers
from .sidecar import LIMIT, Sidecar, identity

MODES: tuple[Dns, ...] = (InPodSplitDns(), SplitDns(), ClusterDns())
KILLS = 3
T = TypeVar("T")


@dataclass(frozen=True)
class Crashed:
    """What was seen of one replica whose tailscaled was killed."""

    app: Deployment
    identities: tuple[Any, Any]
    seconds_to_return: list[float]
    resolv_conf: dict[str, str]
    look_ups: list[LookUp]
    requests: int


@pytest.fixture(scope="module")
def crashed(shared_workspace: Workspace, tailnet: Tailnet) -> Iterator[dict[str, Crashed]]:
    """One replica for each mode, all at once, each with three app containers that do nothing but look up."""
    with split_route(tailnet):
        apps = [shared_workspace.deploy(wait=False, dns=dns, pod_spec=pod_spec(dns)) for dns in MODES]
        seen = at_once(crash, apps)
        yield {type(dns).__name__: one for dns, one in zip(MODES, seen, strict=True)}


def pod_spec(dns: Dns) -> dict[str, Any]:
    names = [CLUSTER_NAME] if isinstance(dns, ClusterDns) else [CLUSTER_NAME, TAILNET_NAME]
    return {
        "initContainers": [{**APP, "name": "first", "command": ["resolve-musl", *names[:1]]}],
        "containers": resolver_containers(*names),
        "terminationGracePeriodSeconds": 1,
    }


def at_once(function: Callable[[Deployment], T], apps: list[Deployment]) -> list[T]:
    with ThreadPoolExecutor(len(apps)) as pool:
        return list(pool.map(function, apps))


def crash(app: Deployment) -> Crashed:
    app.await_ready()
    app.wait_for("50 look-ups of each resolver", lambda: first_look_ups(look_ups(app)) is not None)
    sidecar, before = Sidecar(app), identity(app.devices())
    resolv_conf = {"before": read_resolv_conf(app)}
    taken = []
    for _ in range(KILLS):
        taken.append(sidecar.crash())
    ...
