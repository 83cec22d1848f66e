"""Changes that would lose identities are refused; what costs something is said beforehand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tailscale_sidecar import EmptyDirState, PersistentVolumeState, SecretState
from tailscale_sidecar.component.protection import refusal, remembered_of_stateful_set, warnings
from tests.support.arguments import arguments

RETAINED = SecretState(retain_state=True)
GUARDED = SecretState(access="guarded")
CLAIMS = {"volume_claim_templates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]}
PARALLEL = {"pod_management_policy": "Parallel"}

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another name in Kubernetes": ({"name": "db"}, {"name": "web"}, r"Keep name='db' in the arguments"),
    "another namespace": ({"namespace": "a"}, {"namespace": "b"}, r"Keep namespace='a' in the arguments"),
    "volumes in another namespace": (
        {"namespace": "a", "state": PersistentVolumeState()},
        {"namespace": "b", "state": PersistentVolumeState()},
        r"each would become a new device",
    ),
    "state that sidecars make, in place of Pulumi's": ({}, {"state": GUARDED}, r"First run an `up`.*retain_state=True"),
    "retention that comes too late for some": (
        {"replicas": 3},
        {"replicas": 2, "state": RETAINED},
        r"First run an `up`.*retain_state=True",
    ),
}
ALLOWED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "a namespace that was the provider's": ({}, {"namespace": "default"}),
    "more replicas": ({}, {"replicas": 2}),
    "fewer replicas": ({"replicas": 2}, {}),
    "retention": ({}, {"state": RETAINED}),
    "no retention": ({"state": RETAINED}, {}),
    "fewer retained replicas": ({"replicas": 3, "state": RETAINED}, {"state": RETAINED}),
    "state that sidecars make, in place of what is retained": ({"state": RETAINED}, {"state": GUARDED}),
    "state that Pulumi makes, in place of the sidecars'": ({"state": GUARDED}, {}),
    "another namespace of devices that do not last": (
        {"state": EmptyDirState(), "namespace": "a"},
        {"state": EmptyDirState(), "namespace": "b"},
    ),
}
WARNED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "what Kubernetes cannot change": (
        {},
        PARALLEL,
        [r"cannot change podManagementPolicy of a StatefulSet.*all its pods end at once\. They come back as the same"],
    ),
    "volume claims": (CLAIMS, {}, [r"cannot change volumeClaimTemplates.*the same devices"]),
    "what goes with the StatefulSet": (
        {**CLAIMS, "persistent_volume_claim_retention_policy": {"whenDeleted": "Delete"}},
        {**CLAIMS, **PARALLEL},
        [r"All that is on their volume claims is deleted with it.*first run an `up` with 'Retain'"],
    ),
    "what goes with the pods": (
        {"state": EmptyDirState()},
        {"state": EmptyDirState(), **PARALLEL},
        [r"come back as new devices"],
    ),
    "another place for the state": (
        {},
        {"state": PersistentVolumeState()},
        [r"from SecretState to PersistentVolumeState: each replica becomes a new device", r"come back as new devices"],
    ),
}


def deployed(changes: dict[str, Any]) -> dict[str, Any]:
    args = arguments(**changes)
    return remembered_of_stateful_set(args.name or "db", args)


@pytest.mark.parametrize(("old", "new", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_lose_identities_is_refused(old: dict[str, Any], new: dict[str, Any], why: str) -> None:
    assert re.search(why, refusal(deployed(old), deployed(new)) or "")


@pytest.mark.parametrize(("old", "new"), ALLOWED.values(), ids=ALLOWED.keys())
def test_other_changes_pass_in_silence(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert refusal(deployed(old), deployed(new)) is None
    assert warnings(deployed(old), deployed(new)) == []


@pytest.mark.parametrize(("old", "new", "said"), WARNED.values(), ids=WARNED.keys())
def test_what_costs_something_is_said(old: dict[str, Any], new: dict[str, Any], said: list[str]) -> None:
    assert refusal(deployed(old), deployed(new)) is None
    found = warnings(deployed(old), deployed(new))
    assert all(re.search(expected, message) for message, expected in zip(found, said, strict=True))


def test_a_component_of_which_nothing_is_remembered_passes() -> None:
    new = deployed({"pod_management_policy": "Parallel", "state": RETAINED})
    assert refusal({}, new) is None
    assert warnings({}, new) == []
