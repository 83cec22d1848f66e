"""Each replica is one device of the tailnet, and stays that device."""

from __future__ import annotations

import pytest

from tailscale_sidecar import EmptyDirState, KernelNetworking, PersistentVolumeState, SecretState
from tailscale_sidecar.choices.state import State
from tests.support.deployment import Workspace
from tests.support.kernel_modes import USERS
from tests.support.releases import SINCE_1_96


@pytest.mark.matrix
@USERS
@pytest.mark.parametrize(
    "state",
    [SecretState(), pytest.param(PersistentVolumeState(), marks=SINCE_1_96)],
    ids=lambda state: type(state).__name__,
)
def test_a_deleted_pod_comes_back_as_the_same_device_without_a_request_for_a_key(
    workspace: Workspace, state: State, networking: KernelNetworking
) -> None:
    app = workspace.deploy(state=state, networking=networking, replicas=2)
    before = app.devices()
    requests = len(app.credential_requests())
    app.delete_pods(0, 1)
    assert [(d.id, d.node_key, d.addresses) for d in app.devices()] == [(d.id, d.node_key, d.addresses) for d in before]
    assert len(app.credential_requests()) == requests == 4  # a token and a key for each replica's first login


@pytest.mark.matrix
@SINCE_1_96
def test_a_deleted_pod_with_its_state_in_an_empty_dir_comes_back_as_a_new_device(workspace: Workspace) -> None:
    app = workspace.deploy(state=EmptyDirState())
    before = app.device()
    app.delete_pods(0)
    (after,) = [d for d in app.devices() if d.online]
    assert after.ephemeral
    assert after.node_key != before.node_key
