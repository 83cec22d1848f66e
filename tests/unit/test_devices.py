"""How `devices` is read: once the rollout is over, with one request for each replica, and without waiting."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from tailscale_sidecar import Device
from tailscale_sidecar.clients.kubeconfig import ClusterAccess
from tailscale_sidecar.devices.outputs import devices
from tests.support.api_server import ApiServer

PODS = [f"db-{ordinal}" for ordinal in range(20)]
OF_STATEFUL_SET = {"name": "db", "namespace": "default", "uid": "u-1", "generation": 1}


def state(pod: str) -> dict[str, Any]:
    """A state Secret as containerboot leaves it."""
    recorded = {"device_id": f"n-{pod}", "device_fqdn": f"{pod}.tail1234.ts.net.", "device_ips": '["100.64.0.7"]'}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in recorded.items()}
    return {"kind": "Secret", "metadata": {"name": pod}, "data": data}


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    """A StatefulSet whose replicas are all on the tailnet."""
    objects = [{"kind": "StatefulSet", "metadata": OF_STATEFUL_SET}, *map(state, PODS)]
    with ApiServer(objects=objects).serve() as server:
        yield server


async def read(kubeconfig: Path) -> list[Device] | None:
    """The component's output after an `up`."""
    stateful_set: Any = SimpleNamespace(
        id=pulumi.Output.from_input("default/db"),
        metadata=pulumi.Output.from_input(SimpleNamespace(**OF_STATEFUL_SET)),
        status=pulumi.Output.from_input(SimpleNamespace(observed_generation=1)),
    )
    access = pulumi.Output.from_input(ClusterAccess(str(kubeconfig), None))
    return await devices(stateful_set, pulumi.Output.from_input(list(PODS)), access).future()


def test_each_state_secret_is_asked_for_once_and_nothing_is_waited_for(
    cluster: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailscale_sidecar.devices.outputs.WAIT_SECONDS", 0)  # a second look would come too late
    with contextlib.closing(asyncio.new_event_loop()) as loop:  # asyncio.run would take other tests' loop away
        found = loop.run_until_complete(read(cluster.kubeconfig(tmp_path)))
    assert found
    assert [device.device_id for device in found] == [f"n-{pod}" for pod in PODS]
    secrets = {path: count for path, count in cluster.requests.items() if "/secrets/" in path}
    assert secrets == {f"GET /api/v1/namespaces/default/secrets/{pod}": 1 for pod in PODS}
    assert sum(cluster.requests.values()) == len(PODS) + 1, "and for the StatefulSet"
