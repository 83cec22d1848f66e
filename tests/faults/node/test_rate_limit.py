"""Tailscale limits how often may be registered and asked for keys: new replicas wait, and do not make it worse."""

from __future__ import annotations

import pytest

from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Workspace
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.soak
MOST_REQUESTS = 12
"""Of one replica, to the API and to register, in a minute of refusals (at most five tries) and the login after it."""


@pytest.mark.parametrize(("replicas", "seconds"), [(4, 15), (20, 60)], ids=["short", "long"])
@pytest.mark.parametrize("target", ["register", "api", "oauth"])
def test_new_replicas_wait_for_the_limit_to_pass_and_then_all_register(
    workspace: Workspace, tailnet: Tailnet, target: str, replicas: int, seconds: int
) -> None:
    tailnet.call("DELETE", "/lab/requests")
    tailnet.call("POST", "/lab/faults", {"target": target, "seconds": seconds, "retry_after": 10})
    app = workspace.deploy(
        wait=False, replicas=replicas, pod_management_policy="Parallel", allow_registration_burst=True
    )
    app.await_ready(400)
    assert [device.online for device in app.devices()] == [True] * replicas
    assert [Sidecar(app, ordinal).status()["restartCount"] for ordinal in range(replicas)] == [0] * replicas
    requests = app.credential_requests() + tailnet.requests("/machine/register")
    assert len(requests) / replicas <= MOST_REQUESTS
