"""Names, addresses, versions and folders of the lab, in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIG = HERE / "config"

# Of the network namespace, the control group and the CNI network. Labs of different names run side by side.
NAME = os.environ.get("TAILSCALE_SIDECAR_LAB_NAME") or "tailscale-sidecar-lab"
# Everything the lab keeps while it runs, and nothing else, is below this folder.
STATE = Path(os.environ.get("TAILSCALE_SIDECAR_LAB_DIR") or f"/var/lib/{NAME}")
DISKS = STATE / "disks"  # what outlasts a reboot of the node
RUN = STATE / "run"  # process records and sockets
LOGS = STATE / "logs"
PKI = STATE / "pki"
BIN = STATE / "bin"
KUBECONFIG = STATE / "kubeconfig"

# What is built is kept apart from the state, so that a fresh lab starts at once.
CACHE = Path(os.environ.get("TAILSCALE_SIDECAR_LAB_CACHE") or Path.home() / ".cache/tailscale-sidecar-lab")

GO_VERSION = "1.27.3"  # what Tailscale asks for; the machine's own Go downloads it
NEWEST_KUBERNETES = "1.37.2"  # what go.mod pins, as Tailscale's
NEWEST_TAILSCALE = "1.104.5"
# The matrix runs other releases too.
KUBERNETES_VERSION = os.environ.get("TAILSCALE_SIDECAR_LAB_KUBERNETES") or NEWEST_KUBERNETES
TAILSCALE_VERSION = os.environ.get("TAILSCALE_SIDECAR_LAB_TAILSCALE") or NEWEST_TAILSCALE
COREDNS_VERSION = "1.15.0"
CONTAINERD_VERSION = "2.4.2"

NODE = "lab"
BRIDGE = "lab0"  # carries the node's addresses
PODS_BRIDGE = "cni0"

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Family:
    """The addresses of one IP family."""

    version: int
    node: str
    node_prefix: int
    pods: str
    services: str
    dns: str
    everything: str


IPV4 = Family(4, "10.200.0.1", 24, "10.244.0.0/16", "10.96.0.0/16", "10.96.0.10", "0.0.0.0/0")
IPV6 = Family(6, "fd00:10:200::1", 64, "fd00:10:244::/64", "fd00:10:96::/112", "fd00:10:96::a", "::/0")
FAMILIES = (IPV4, IPV6) if Path("/proc/sys/net/ipv6").exists() else (IPV4,)

UPSTREAM_DNS = "10.200.0.2"  # what the node's own resolv.conf names, and CoreDNS forwards to
API_SERVER = f"https://{IPV4.node}:6443"
TAILNET_URL = f"http://{IPV4.node}:8080"
