"""What enforces NetworkPolicies, which the lab's own network does not: the firewall of kube-router."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import binaries, cgroups, namespace, processes
from .lab import Lab
from .processes import Process
from .settings import FAMILIES, NODE
from .setup import install_packages
from .shell import run, wait_for

NAME = "kube-router"
PACKAGES = ((("ipset",), "ipset"),)
CLEAN = """\
for of in iptables ip6tables; do
  $of-save --table filter | grep -v -e KUBE-ROUTER -e KUBE-POD-FW -e KUBE-NWPLCY | $of-restore --wait --table filter
done
"""
"""Its own `--cleanup-config` ends before it is through, where there is no IPVS (seen on 2.1.0)."""


def ensure() -> None:
    """Installs and builds what it takes: from the lab's network nothing can be downloaded."""
    install_packages(PACKAGES)
    binaries.ensure(binaries.KUBE_ROUTER)


@contextmanager
def enforced(lab: Lab) -> Iterator[None]:
    """For as long as the block lasts, pods reach what policies let them reach."""
    processes.start(NAME, cgroups.CONTROL, namespace.command(command(lab)), {})
    try:
        wait_for(
            "kube-router's rules", lambda: "KUBE-ROUTER-FORWARD" in run(namespace.command(["iptables", "--list-rules"]))
        )
        yield
    finally:
        if process := Process.recorded(NAME):
            process.stop()
        run(namespace.command(["sh", "-ec", CLEAN]))


def command(lab: Lab) -> list[str]:
    """Its command line: no routes and no Services, which the lab has."""
    return [
        str(binaries.ensure(binaries.KUBE_ROUTER) / NAME),
        f"--kubeconfig={lab.kubeconfig}",
        f"--hostname-override={NODE}",
        *("--run-router=false", "--run-service-proxy=false", "--health-port=0"),
        "--iptables-sync-period=3s",  # a change that comes while it works is only seen the next time
        f"--service-cluster-ip-range={','.join(family.services for family in FAMILIES)}",
        f"--enable-ipv6={str(len(FAMILIES) > 1).lower()}",
    ]
