"""The network namespace the lab lives in: without an uplink, so that nothing can leave."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from .settings import BRIDGE, FAMILIES, IPV4, IPV6, NAME, PODS_BRIDGE, UPSTREAM_DNS
from .shell import LabError, run

T = TypeVar("T")

FILE = Path("/run/netns") / NAME
CLONE_NEWNET = 0x40000000


def exists() -> bool:
    """Whether the namespace is there."""
    return FILE.exists()


def create() -> None:
    """Make the namespace with its bridge, and let it forward packets."""
    run(["ip", "netns", "add", NAME])
    links = [
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"link set {BRIDGE} up",
        f"addr add {IPV4.node}/{IPV4.node_prefix} dev {BRIDGE}",
        f"addr add {UPSTREAM_DNS}/{IPV4.node_prefix} dev {BRIDGE}",
    ]
    if IPV6 in FAMILIES:
        links.append(f"addr add {IPV6.node}/{IPV6.node_prefix} dev {BRIDGE} nodad")
    run(["ip", "-n", NAME, "-batch", "-"], stdin="\n".join(links) + "\n")
    inside(allow_forwarding)
    for family in FAMILIES:
        probe_from_the_node_address(family.version, family.node)


def allow_forwarding() -> None:
    """Set the kernel's switches, which each network namespace has its own of."""
    switches = ["ipv4/ip_forward", "bridge/bridge-nf-call-iptables"]
    if IPV6 in FAMILIES:
        switches += ["ipv6/conf/all/forwarding", "bridge/bridge-nf-call-ip6tables"]
    for switch in switches:
        try:
            Path("/proc/sys/net", switch).write_text("1")
        except OSError as error:
            raise LabError(f"net/{switch} cannot be set: {error}; try `modprobe br_netfilter`") from error


def probe_from_the_node_address(version: int, node: str) -> None:
    """Let the kubelet's probes come from the node's address, outside the pods' network.

    On most clusters they do; left alone, the bridge's own address in the pods' network would be
    their source, and hide what a pod does to packets to other networks.
    """
    to_pods = ["-o", PODS_BRIDGE, "-m", "addrtype", "--src-type", "LOCAL"]
    change = ["-j", "SNAT", "--to-source", node]
    tool = "iptables" if version == 4 else "ip6tables"
    run(command([tool, "-w", "-t", "nat", "-A", "POSTROUTING", *to_pods, *change]))


def forget_pods() -> None:
    """Remove the pods' bridge, as a reboot does; the next pod makes it anew."""
    with contextlib.suppress(LabError):
        run(["ip", "-n", NAME, "link", "delete", PODS_BRIDGE])


def delete() -> None:
    """Remove the namespace; its devices and rules go with it when its last process is gone."""
    if exists():
        run(["ip", "netns", "delete", NAME])
    with contextlib.suppress(OSError):
        FILE.parent.rmdir()


def enter(network: Path = FILE) -> None:
    """Put the calling thread, and all threads and processes it starts from now on, inside: the lab's, or a pod's."""
    if not network.exists():
        raise LabError("the lab is not up; `python -m tests.lab up` starts it")
    libc = ctypes.CDLL(None, use_errno=True)  # Python has os.setns only from 3.12
    with network.open() as file:
        failed = libc.setns(file.fileno(), CLONE_NEWNET) != 0
    if failed:
        why = os.strerror(ctypes.get_errno())
        raise LabError(f"cannot enter the lab's network namespace: {why}; it takes root")


def inside(function: Callable[[], T]) -> T:
    """Call a function inside, in a thread of its own, so that the caller stays where it is."""

    def call() -> T:
        enter()
        return function()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


def command(words: list[str]) -> list[str]:
    """Make a command run inside. `ip netns exec` would remount /sys and hide the cgroups."""
    return ["nsenter", f"--net={FILE}", "--", *words]
