"""Which device is removed for a replica that goes, and when none is."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from typing_extensions import override

from tailscale_sidecar.clients.errors import ClusterError
from tailscale_sidecar.clients.kubernetes import Cluster
from tailscale_sidecar.clients.tailscale import TailscaleApi
from tailscale_sidecar.devices.removal import POD_END_SECONDS, RemovalError, Replica, remove_device
from tests.support.removal import POD, WITH_SIDECAR, FakeCluster, device, left, state_secret
from tests.support.tailnet_server import TOKEN, TailnetServer, Trouble, tailnet_server

REPLICA = Replica(
    namespace="apps", stateful_set="db", ordinal=1, anchor=("Service", "db"), anchor_uid="u1", secret_is_ours=True
)


@pytest.fixture
def cluster() -> FakeCluster:
    """One in which the StatefulSet is scaled down to one replica, and the pod of the second has ended."""
    return FakeCluster(
        {
            ("Service", "db"): {"metadata": {"uid": "u1"}},
            ("StatefulSet", "db"): {"metadata": {}, "spec": {"replicas": 1, "template": WITH_SIDECAR}},
            ("Secret", POD): state_secret("a", "b", device_id="n1"),
        }
    )


@pytest.fixture
def tailnet() -> Iterator[TailnetServer]:
    """One with the replica's device, and another of the same host name."""
    with tailnet_server() as server:
        server.devices = [device("n2", node="c", machine="d"), device("n1", node="a", machine="b")]
        yield server


def remove(cluster: Cluster, tailnet: TailnetServer, replica: Replica = REPLICA) -> None:
    remove_device(replica, cluster, TailscaleApi(tailnet.url, access_token=TOKEN), sleep=lambda _: None)


def test_the_recorded_device_is_removed(cluster: FakeCluster, tailnet: TailnetServer) -> None:
    remove(cluster, tailnet)
    assert left(tailnet) == ["n2"]
    assert tailnet.requests == ["GET /api/v2/device/n1", "DELETE /api/v2/device/n1"]


def test_after_destroy_of_the_stateful_set_too(cluster: FakeCluster, tailnet: TailnetServer) -> None:
    del cluster.objects["StatefulSet", "db"]
    remove(cluster, tailnet)
    assert left(tailnet) == ["n2"]


@pytest.mark.parametrize(
    "secret",
    [
        state_secret("a", "b"),
        state_secret("a", "b", device_id="n0"),
        state_secret("e", "b"),
        state_secret("", "b"),
    ],
    ids=["no ID recorded", "an ID of before a new login", "key rotated, not saved", "killed at its first login"],
)
def test_a_device_without_a_right_id_is_found_by_its_keys(
    cluster: FakeCluster, tailnet: TailnetServer, secret: dict[str, Any]
) -> None:
    cluster.objects["Secret", POD] = secret
    remove(cluster, tailnet)
    assert left(tailnet) == ["n2"]


def test_a_device_is_never_told_by_its_host_name(cluster: FakeCluster, tailnet: TailnetServer) -> None:
    cluster.objects["Secret", POD] = state_secret("e", "f")
    remove(cluster, tailnet)
    assert left(tailnet) == ["n2", "n1"]


def test_another_replicas_device_is_not_removed_though_the_secret_names_it(
    cluster: FakeCluster, tailnet: TailnetServer
) -> None:
    cluster.objects["Secret", POD] = state_secret("a", "b", device_id="n2")
    with pytest.raises(RemovalError, match="device n2, which Secret apps/db-1 names, has other keys"):
        remove(cluster, tailnet)
    assert left(tailnet) == ["n2", "n1"]


@pytest.mark.parametrize("secret", [{"metadata": {"name": POD}}, state_secret(), state_secret(pod_uid="x")])
def test_a_replica_that_never_started_asks_nothing_of_the_api(
    cluster: FakeCluster, tailnet: TailnetServer, secret: dict[str, Any]
) -> None:
    cluster.objects["Secret", POD] = secret
    remove(cluster, tailnet)
    assert tailnet.requests == []


def test_a_lost_secret_is_an_error_where_pulumi_made_it_and_else_a_replica_that_never_started(
    cluster: FakeCluster, tailnet: TailnetServer
) -> None:
    del cluster.objects["Secret", POD]
    with pytest.raises(RemovalError, match="the device of apps/db-1: its state Secret is not there"):
        remove(cluster, tailnet)
    remove(cluster, tailnet, Replica(**{**vars(REPLICA), "secret_is_ours": False}))
    assert tailnet.requests == []


@pytest.mark.parametrize("service", [None, {"metadata": {"uid": "another"}}])
def test_in_another_cluster_nothing_is_removed(
    cluster: FakeCluster, tailnet: TailnetServer, service: dict[str, Any] | None
) -> None:
    cluster.objects.pop(("Service", "db"))
    if service:
        cluster.objects["Service", "db"] = service
    with pytest.raises(RemovalError, match="the kubeconfig leads to another cluster"):
        remove(cluster, tailnet)
    assert tailnet.requests == []


def test_a_replica_that_stays_keeps_its_device_when_its_clean_up_goes(
    cluster: FakeCluster, tailnet: TailnetServer
) -> None:
    cluster.objects["StatefulSet", "db"]["spec"]["replicas"] = 2
    remove(cluster, tailnet)
    assert tailnet.requests == []


def test_a_sidecar_that_goes_out_of_a_replica_that_stays_takes_its_device_along(
    cluster: FakeCluster, tailnet: TailnetServer
) -> None:
    without: dict[str, Any] = {"spec": {"containers": [{"name": "db"}]}}
    cluster.objects["StatefulSet", "db"]["spec"] = {"replicas": 2, "template": without}
    cluster.objects["Pod", POD] = WITH_SIDECAR
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        cluster.objects["Pod", POD] = without

    remove_device(REPLICA, cluster, TailscaleApi(tailnet.url, access_token=TOKEN), sleep=sleep)
    assert (len(waited), left(tailnet)) == (1, ["n2"])


def test_the_device_goes_after_the_pod(cluster: FakeCluster, tailnet: TailnetServer) -> None:
    cluster.objects["Pod", POD] = WITH_SIDECAR
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        assert left(tailnet) == ["n2", "n1"]
        waited.append(seconds)
        if len(waited) == 3:
            del cluster.objects["Pod", POD]

    remove_device(REPLICA, cluster, TailscaleApi(tailnet.url, access_token=TOKEN), sleep=sleep)
    assert left(tailnet) == ["n2"]


def test_a_pod_that_does_not_end_keeps_its_device(
    cluster: FakeCluster, tailnet: TailnetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.objects["Pod", POD] = WITH_SIDECAR
    clock = iter(range(0, 10 * POD_END_SECONDS, POD_END_SECONDS))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with pytest.raises(RemovalError, match="its pod has not ended in 600 seconds"):
        remove(cluster, tailnet)


def test_a_failed_call_is_an_error_that_names_the_device(cluster: FakeCluster, tailnet: TailnetServer) -> None:
    tailnet.troubles = [Trouble(403)]
    with pytest.raises(RemovalError, match=r"device n1 of apps/db-1: GET .*/api/v2/device/n1: 403 trouble"):
        remove(cluster, tailnet)


def test_what_is_no_api_like_tailscales_does_not_pass_for_one_without_the_device(
    cluster: FakeCluster, tailnet: TailnetServer
) -> None:
    tailnet.troubles = [Trouble(404), Trouble(404)]
    with pytest.raises(RemovalError, match=r"device n1 of apps/db-1: .*no API like Tailscale's"):
        remove(cluster, tailnet)


def test_a_secret_that_holds_no_state_is_an_error_that_shows_nothing_of_it(
    cluster: FakeCluster, tailnet: TailnetServer
) -> None:
    broken = {"_current-profile": "profile-1", "profile-1": "s3cr3t", "device_id": "n0"}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in broken.items()}
    cluster.objects["Secret", POD] = {"metadata": {"name": POD}, "data": encoded}
    with pytest.raises(RemovalError, match="not as tailscaled writes it") as failure:
        remove(cluster, tailnet)
    assert "s3cr3t" not in str(failure.value)


def test_an_unreachable_cluster_is_an_error_that_names_the_replica(tailnet: TailnetServer) -> None:
    class Unreachable(FakeCluster):
        @override
        def find(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
            raise ClusterError(f"{kind} {name} cannot be read: 401 Unauthorized")

    with pytest.raises(RemovalError, match="the device of apps/db-1: Service db cannot be read: 401"):
        remove(Unreachable(), tailnet)
