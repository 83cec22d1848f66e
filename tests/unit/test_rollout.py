"""How long `up` waits, and for what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes.apps.v1 import RollingUpdateStatefulSetStrategyArgs, StatefulSetUpdateStrategyArgs

from tailscale_sidecar.component.rollout import WAIT_FOR, custom_timeouts, stateful_set_annotations
from tests.support.arguments import APP, arguments


def seconds(given: pulumi.CustomTimeouts | None = None, *, grace: Any = None, **changes: Any) -> list[int]:
    """What create, update and delete may take."""
    ending = {} if grace is None else {"terminationGracePeriodSeconds": grace}
    found = custom_timeouts(arguments(pod_spec={"containers": [APP], **ending}, **changes), given)
    return [int(str(limit).removesuffix("s")) for limit in (found.create, found.update, found.delete)]


def held(partition: Any, replicas: int = 3, annotations: Mapping[str, str] = {}) -> Any:
    strategy = StatefulSetUpdateStrategyArgs(rolling_update=RollingUpdateStatefulSetStrategyArgs(partition=partition))
    args = arguments(replicas=replicas, update_strategy=strategy, annotations=annotations)
    return stateful_set_annotations(args).get(WAIT_FOR)


def test_the_time_to_wait_grows_with_the_replicas_and_with_how_long_each_may_take_to_end() -> None:
    assert seconds(replicas=1) == [660] * 3
    assert seconds(replicas=10) == [1200] * 3
    assert seconds(replicas=10, grace=300) == [3900] * 3
    assert seconds(replicas=1, grace=pulumi.Output.from_input(300)) == [660] * 3


def test_each_time_that_is_given_wins() -> None:
    assert seconds(pulumi.CustomTimeouts(update="5s")) == [660, 5, 660]


def test_a_roll_out_that_nothing_holds_back_is_waited_for_by_the_provider() -> None:
    assert held(0) is None
    assert stateful_set_annotations(arguments(update_strategy={"type": "OnDelete"})) == {}
    assert stateful_set_annotations(arguments(annotations={"a": "b"})) == {"a": "b"}


@pytest.mark.parametrize(("partition", "updated"), [(1, "@.updatedReplicas > 1"), (2, "@.updatedReplicas > 0")])
def test_a_roll_out_is_waited_for_down_to_its_partition(partition: int, updated: str) -> None:
    assert updated in held(partition)
    assert "@.readyReplicas == $.spec.replicas" in held(partition)


def test_a_partition_that_holds_back_all_replicas_waits_for_no_new_one() -> None:
    assert "updatedReplicas" not in held(3)
    assert "readyReplicas" not in held(3, replicas=0)


def test_what_the_user_waits_for_wins() -> None:
    mine = {"pulumi.com/waitFor": "condition=Mine"}
    assert held(1, annotations=mine) == mine["pulumi.com/waitFor"]
    assert held(1, annotations={"pulumi.com/skipAwait": "true"}) is None


def test_the_annotation_has_no_single_equals_sign_at_which_the_provider_would_split_it() -> None:
    for partition in (1, 3):
        for path in json.loads(held(partition)):
            assert "=" not in path.removeprefix("jsonpath=").replace("==", "")
