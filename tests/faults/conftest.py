"""Fixtures of the fault tests, which start from those of the cluster tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import lab, tailnet, workspace
from tests.cluster.deployment import Workspace
from tests.lab import Lab
from tests.lab.tailnet_client import Tailnet

__all__ = ["lab", "tailnet", "workspace"]


@pytest.fixture(scope="module")
def shared_workspace(lab: Lab, tailnet: Tailnet) -> Iterator[Workspace]:
    """A namespace for all tests of a module, where they look at one deployment from several sides."""
    with Workspace.temporary(lab, tailnet) as temporary:
        yield temporary
