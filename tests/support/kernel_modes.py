"""The ways in which a sidecar has its tun device, for tests that are the same in each."""

from __future__ import annotations

import pytest

from tailscale_sidecar import KernelNetworking
from tests.support.releases import SINCE_KUBERNETES_1_33

TUN = KernelNetworking(tun_device="devic.es/tun")
NAMESPACED = KernelNetworking(user_namespace=True)
NAMESPACED_TUN = KernelNetworking(user_namespace=True, tun_device="devic.es/tun")
IN_USER_NAMESPACE = {"user-namespace": NAMESPACED, "user-namespace-tun": NAMESPACED_TUN}
KERNEL_MODES = {
    "privileged": KernelNetworking(),
    "net-admin": KernelNetworking(privileged=False),
    "tun": TUN,
    **IN_USER_NAMESPACE,
}
CAN_ROUTE = {name: mode for name, mode in KERNEL_MODES.items() if mode.can_route}
USERS = pytest.mark.parametrize(
    "networking",
    [KernelNetworking(), pytest.param(NAMESPACED, marks=SINCE_KUBERNETES_1_33)],
    ids=["privileged", "user-namespace"],
)
"""For tests that are the same with the pod's users on the node, and in a user namespace."""
