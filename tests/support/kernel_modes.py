"""The ways in which a sidecar has its tun device, for tests that are the same in each."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tailscale_sidecar import KernelNetworking
from tailscale_sidecar.choices.networking import Networking
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


def in_each(modes: Mapping[str, Networking]) -> pytest.MarkDecorator:
    """For tests that are the same in each of these: `make test` runs the first, and `make test-wide` the others."""
    return pytest.mark.parametrize(
        "networking",
        [
            pytest.param(mode, id=name, marks=pytest.mark.wide if number else ())
            for number, (name, mode) in enumerate(modes.items())
        ],
    )
