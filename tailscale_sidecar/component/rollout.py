"""How long Pulumi waits for a roll-out of the StatefulSet, and for what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi

from ..pod.model import Input
from ..pod.objects import Json
from .stateful_set_args import TailscaleSidecarStatefulSetArgs

BASE_SECONDS = 600
"""What Pulumi waits for any StatefulSet (pulumi-kubernetes@v4.32.0 provider/pkg/await/statefulset.go)."""
REPLICA_SECONDS = 30
"""For a replica to be pulled, started, registered and ready: roll-outs restart one after the other."""
GRACE_SECONDS = 30
"""Kubernetes' own terminationGracePeriodSeconds."""
WAIT_FOR = "pulumi.com/waitFor"
SKIP_AWAIT = "pulumi.com/skipAwait"


def custom_timeouts(
    args: TailscaleSidecarStatefulSetArgs, given: pulumi.CustomTimeouts | None
) -> pulumi.CustomTimeouts:
    """How long to wait: what the user gave, else a time that grows with the replicas, each of which ends and starts."""
    grace = args.pod_spec.get("terminationGracePeriodSeconds", GRACE_SECONDS)
    each = REPLICA_SECONDS + (grace if isinstance(grace, int) else GRACE_SECONDS)  # an Output is not known yet
    default = f"{BASE_SECONDS + args.replicas * each}s"
    given = given or pulumi.CustomTimeouts()
    return pulumi.CustomTimeouts(
        create=given.create or default,
        update=given.update or default,
        delete=given.delete or default,
        read=given.read,
    )


def stateful_set_annotations(args: TailscaleSidecarStatefulSetArgs) -> Mapping[str, Input[str]]:
    """The StatefulSet's annotations: the user's, and what to wait for where a partition holds the roll-out back.

    The provider waits until the current revision is the new one, which a partition prevents for as long as it stands.
    """
    if {WAIT_FOR, SKIP_AWAIT} & args.annotations.keys():
        return args.annotations
    strategy = args.update_strategy or {}
    rolling = strategy.get("rollingUpdate") if isinstance(strategy, Mapping) else strategy
    partition = rolling.get("partition", 0) if isinstance(rolling, Mapping) else rolling
    if not (partition or isinstance(partition, pulumi.Output)):
        return args.annotations
    if isinstance(partition, int):
        return {**args.annotations, WAIT_FOR: held_at(partition, args.replicas)}
    return {
        **args.annotations,
        WAIT_FOR: pulumi.Output.from_input(strategy).apply(lambda s: _held_by(s, args.replicas)),
    }


def _held_by(strategy: Json, replicas: int) -> str:
    """The same for a strategy with Outputs; an empty annotation leaves the waiting to the provider."""
    rolling: Any = strategy.get("rollingUpdate") or {}
    partition = int(rolling.get("partition") or 0)
    return held_at(partition, replicas) if partition else ""


def held_at(partition: int, replicas: int) -> str:
    """What is true when the replicas from `partition` on are new and all are ready, as the annotation's JSONPaths.

    At least as many: a partition that was raised again leaves replicas below it updated. There is no `>=`, because the
    provider splits each at a single `=`, and its parser takes one `&&` at most.
    """
    ready = "@.readyReplicas == $.spec.replicas && @.replicas == $.spec.replicas" if replicas else "@.replicas == 0"
    updated = replicas - partition
    conditions = [ready, *([f"@.updatedReplicas > {updated - 1}"] if updated > 0 else [])]
    return json.dumps([f"jsonpath={{$[?{condition}]}}" for condition in conditions])
