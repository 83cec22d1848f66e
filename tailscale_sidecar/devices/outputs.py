"""The devices of the replicas, read from their state Secrets once the rollout is over."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import pulumi
from pulumi.runtime import is_dry_run
from pulumi_kubernetes.apps.v1 import StatefulSet

from ..clients.errors import ClusterError
from ..clients.kubeconfig import ClusterAccess
from ..clients.kubernetes import Cluster, connect
from .device import Device
from .state_secret import StateSecret

WAIT_SECONDS = 600
"""How long replicas may take to record their devices: as long as Pulumi waits for a StatefulSet. It takes no time where
the rollout itself waits for the tailnet (`wait_for_tailnet`): containerboot records first and is healthy then."""
POLL_SECONDS = 1
READS_AT_ONCE = 10


def devices(
    stateful_set: StatefulSet, pods: pulumi.Output[list[str]], access: pulumi.Output[ClusterAccess]
) -> pulumi.Output[list[Device]]:
    """The pods' devices, in this order: unknown in a preview until the StatefulSet is as it will be."""

    async def found(values: list[Any]) -> list[Device]:
        _, metadata, observed, way, names = values
        name, namespace, uid, generation = metadata
        if uid is None:  # without a cluster: in render, or with mocks
            return _unknown()
        reader = _Reader(stateful_set=name, stateful_set_uid=uid, access=way, namespace=namespace, pods=names)
        if not is_dry_run():
            return await reader.wait()
        # A preview's StatefulSet is the answer to a dry run: a generation that no controller has seen is yet to come.
        return await reader.preview() if generation == observed else _unknown()

    metadata = stateful_set.metadata.apply(lambda found: [found.name, found.namespace, found.uid, found.generation])
    observed = stateful_set.status.apply(lambda status: status.observed_generation if status else None)
    known = pulumi.Output.all(stateful_set.id, metadata, observed, access, pods)  # the ID is unknown until it is made
    return pulumi.Output.unsecret(known.apply(found))  # a kubeconfig is secret, and what is read with it would be


@dataclass(frozen=True, kw_only=True)
class _Reader:
    stateful_set: str
    stateful_set_uid: str
    access: ClusterAccess
    namespace: str
    pods: Sequence[str]

    async def wait(self) -> list[Device]:
        """The devices, once all are recorded."""
        cluster = await asyncio.to_thread(self._connect)
        end = time.monotonic() + WAIT_SECONDS
        while None in (found := await asyncio.to_thread(read, cluster, self.pods)):
            if time.monotonic() > end:
                missing = [pod for pod, device in zip(self.pods, found, strict=True) if device is None]
                raise ClusterError(
                    f"no device is recorded in the state Secrets of {', '.join(missing)} in namespace {self.namespace}; "
                    "the logs of their container tailscale say why"
                )
            await asyncio.sleep(POLL_SECONDS)
        return [device for device in found if device is not None]

    async def preview(self) -> list[Device]:
        """The devices, if they are known now: a preview can do without a cluster, and does not wait."""
        try:
            cluster = await asyncio.to_thread(self._connect)
            found = await asyncio.to_thread(read, cluster, self.pods)
        except ClusterError as error:
            pulumi.log.warn(f"devices are shown as unknown: {error}")
            return _unknown()
        return _unknown() if None in found else [device for device in found if device is not None]

    def _connect(self) -> Cluster:
        cluster = connect(self.access, self.namespace, "devices")
        stateful_set = cluster.find("StatefulSet", self.stateful_set)
        if stateful_set is None or stateful_set["metadata"]["uid"] != self.stateful_set_uid:
            raise ClusterError(
                f"StatefulSet {self.namespace}/{self.stateful_set} is not the one that Pulumi made: "
                "the kubeconfig leads to another cluster"
            )
        return cluster


def read(cluster: Cluster, pods: Sequence[str]) -> list[Device | None]:
    """Each pod's device, or None where none is recorded yet. A state Secret is named like its pod."""

    def one(pod: str) -> Device | None:
        secret = cluster.find("Secret", pod)
        return recorded(StateSecret.of(secret)) if secret else None

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return list(pool.map(one, pods))


def recorded(state: StateSecret) -> Device | None:
    """The device; None until containerboot has recorded all of it."""
    if not (state.device_id and state.fqdn and state.addresses):
        return None
    by_version = {ipaddress.ip_address(address).version: address for address in state.addresses}
    return Device(
        pod=state.name,
        device_id=state.device_id,
        fqdn=state.fqdn,
        ipv4=by_version.get(4),
        ipv6=by_version.get(6),
    )


def _unknown() -> list[Device]:
    unknown: list[Device] = cast("Any", pulumi.UNKNOWN)  # what the SDK takes for a value that is yet to come
    return unknown
