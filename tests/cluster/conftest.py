"""Fixtures of the tests on the lab: a real API server, kubelet and control plane, and real tailscaled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.lab.tailnet_client import Tailnet

from .deployment import Workspace


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab, with this process inside its network. It is stopped in tests/conftest.py, if it was not up before."""
    lab = Lab.start()
    lab.enter()
    return lab


@pytest.fixture(scope="session")
def tailnet(lab: Lab) -> Tailnet:
    """The lab's tailnet, with the guide's split DNS route and a global nameserver that knows nothing of the cluster."""
    tailnet = Tailnet(lab.tailnet_url)
    dns = {
        "split": {"svc.cluster.local": ["10.96.0.10"]},
        "nameservers": ["10.200.0.2"],
        "records": {"db.corp.example": "100.64.9.9"},
    }
    tailnet.call("PUT", "/lab/dns", dns)
    return tailnet


@pytest.fixture
def workspace(lab: Lab, tailnet: Tailnet) -> Iterator[Workspace]:
    """A namespace of the test's own."""
    with Workspace.temporary(lab, tailnet) as temporary:
        yield temporary
