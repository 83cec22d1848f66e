"""A rolling restart of many replicas asks nobody for a key and makes no device."""

from __future__ import annotations

import pytest

from tests.support.deployment import Workspace
from tests.support.sidecar import identity

REPLICAS = 10


@pytest.mark.soak
def test_a_rolling_restart_of_ten_replicas_makes_no_request_for_a_key_and_no_device(workspace: Workspace) -> None:
    app = workspace.deploy(
        wait=False,
        replicas=REPLICAS,
        pod_management_policy="Parallel",
        update_strategy={"rollingUpdate": {"maxUnavailable": 5}},
    )
    app.await_ready(240)
    before = app.devices()
    assert len(before) == REPLICAS
    requests = len(app.credential_requests())
    workspace.kubectl("rollout", "restart", f"statefulset/{app.name}")
    app.await_ready(240)
    assert identity(app.devices()) == identity(before)
    assert len(app.credential_requests()) == requests
