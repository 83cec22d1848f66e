"""Fixtures of the tests on the lab: a real API server, kubelet and control plane, and real tailscaled."""

from __future__ import annotations

import secrets
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
    """The lab's control plane."""
    return Tailnet(lab.tailnet_url)


@pytest.fixture
def workspace(lab: Lab, tailnet: Tailnet) -> Iterator[Workspace]:
    """A namespace of the test's own."""
    name = f"test-{secrets.token_hex(3)}"
    lab.kubectl("create", "namespace", name)
    yield Workspace(lab, tailnet, name)
    lab.kubectl("delete", "namespace", name, "--wait=false")
