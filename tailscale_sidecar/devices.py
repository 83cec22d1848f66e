"""The devices of the replicas, read from their state Secrets once the rollout is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pulumi
from pulumi.runtime import is_dry_run
from pulumi_kubernetes.apps.v1 import StatefulSet

from ._cluster import Cluster, ClusterAccess, ClusterError, connect
from ._replica_state import ReplicaState
from .device import Device

WAIT_SECONDS = 600
"""How long replicas may take to record their devices: as long as Pulumi waits for a StatefulSet. It takes no time where
the rollout itself waits for the tailnet (`wait_for_tailnet`): containerboot records first and is healthy then."""
POLL_SECONDS = 1
READS_AT_ONCE = 10


class NoClusterError(Exception):
    """The StatefulSet was not made in a cluster, so there are no devices."""


def devices(
    stateful_set: StatefulSet, pods: Sequence[str], access: pulumi.Output[ClusterAccess]
) -> pulumi.Output[list[Device]]:
    """The pods' devices, in this order: unknown in a preview until the StatefulSet is as it will be."""

    async def found(values: list[Any]) -> list[Device]:
        _, metadata, status, way = values
        if metadata.generation is None:
            raise NoClusterError("devices are known from a cluster only")
        if not is_dry_run():
            return await _wait_for_devices(way, metadata.namespace, pods)
        # A preview's StatefulSet is the answer to a dry run: a generation that no controller has seen is yet to come.
        if status is None or status.observed_generation != metadata.generation:
            return _unknown()
        return await _devices_so_far(way, metadata.namespace, pods)

    known = pulumi.Output.all(stateful_set.id, stateful_set.metadata, stateful_set.status, access)
    return pulumi.Output.unsecret(known.apply(found))  # a kubeconfig is secret, and what is read with it would be


async def _wait_for_devices(access: ClusterAccess, namespace: str, pods: Sequence[str]) -> list[Device]:
    cluster = await asyncio.to_thread(connect, access, namespace, "devices")
    end = time.monotonic() + WAIT_SECONDS
    while True:
        found = await asyncio.to_thread(read, cluster, pods)
        complete = [device for device in found if device is not None]
        if len(complete) == len(pods):
            return complete
        if time.monotonic() > end:
            missing = [pod for pod, device in zip(pods, found, strict=True) if device is None]
            raise ClusterError(
                f"no device is recorded in the state Secrets of {', '.join(missing)} in namespace {namespace}; "
                "the logs of their container tailscale say why"
            )
        await asyncio.sleep(POLL_SECONDS)


async def _devices_so_far(access: ClusterAccess, namespace: str, pods: Sequence[str]) -> list[Device]:
    """For a preview, which needs no cluster and does not wait."""
    try:
        cluster = await asyncio.to_thread(connect, access, namespace, "devices")
        found = await asyncio.to_thread(read, cluster, pods)
    except ClusterError as error:
        pulumi.log.warn(f"devices are shown as unknown: {error}")
        return _unknown()
    complete = [device for device in found if device is not None]
    return complete if len(complete) == len(pods) else _unknown()


def read(cluster: Cluster, pods: Sequence[str]) -> list[Device | None]:
    """Each pod's device, or None where none is recorded yet. A state Secret is named like its pod."""

    def one(pod: str) -> Device | None:
        secret = cluster.find("Secret", pod)
        return ReplicaState.of(secret).device() if secret else None

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return list(pool.map(one, pods))


def _unknown() -> list[Device]:
    unknown: list[Device] = cast(Any, pulumi.UNKNOWN)  # what the SDK takes for a value that is yet to come
    return unknown
