"""What tests need of the releases that the lab runs, where `make matrix` gives it older ones."""

from __future__ import annotations

import pytest

from tests.lab.settings import KUBERNETES_VERSION, TAILSCALE_VERSION


def release(version: str) -> tuple[int, ...]:
    """A version, to be compared."""
    return tuple(map(int, version.split(".")))


SINCE_1_96 = pytest.mark.skipif(
    release(TAILSCALE_VERSION) < (1, 96), reason="state outside of Secrets needs Tailscale 1.96"
)
SINCE_KUBERNETES_1_33 = pytest.mark.skipif(
    release(KUBERNETES_VERSION) < (1, 33), reason="user namespaces are on by default since Kubernetes 1.33"
)
KUBELET_WAITS_AFTER_A_REBOOT = release(KUBERNETES_VERSION) >= (1, 37)
"""Whether app containers that were only created wait for the sidecar (kubernetes/kubernetes#137710)."""
