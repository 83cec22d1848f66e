"""What the scripts, the choices, `doctor` and `adopt` must agree on: names, paths and addresses in the pod.

Scripts have them as text: tests/unit/test_contract.py holds them to it. Nothing here needs Pulumi.
"""

from __future__ import annotations

import ipaddress

TAILSCALE_IMAGE = "ghcr.io/tailscale/tailscale:v1.104.5"
DNS_IMAGE = "coredns/coredns:1.15.0"

# Containers
SIDECAR = "tailscale"
RESOLVER = "tailscale-dns"
INIT = "tailscale-init"
OWN_CONTAINERS = (SIDECAR, INIT, RESOLVER)

# Volumes
AUTH_VOLUME = "tailscale-auth"
COREFILE_VOLUME = "tailscale-corefile"
ID_TOKEN_VOLUME = "tailscale-id-token"
RUN_VOLUME = "tailscale-run"
"""In memory: what the scripts write."""
STATE_VOLUME = "tailscale-state"
TMP_VOLUME = "tailscale-tmp"
TOKEN_VOLUME = "tailscale-token"
OWN_VOLUMES = (AUTH_VOLUME, COREFILE_VOLUME, ID_TOKEN_VOLUME, RUN_VOLUME, STATE_VOLUME, TMP_VOLUME, TOKEN_VOLUME)

# Files
RUN_DIR = "/run/tailscale-sidecar"
"""Where the sidecar's containers find the scripts, and the files that these write."""
CREDENTIAL_DIR = "/etc/tailscale-sidecar/auth"
"""Where the sidecar finds the auth Secret's keys as files; the app's containers do not mount it."""
ID_TOKEN_DIR = "/var/run/secrets/tailscale-sidecar"
SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_DIR = "/var/lib/tailscale"
STATE_DIR = f"{VOLUME_DIR}/state"
"""A folder that tailscaled makes itself: it sets the mode of its state folder, and a volume's own is another user's."""
RESOLV_CONF = "/etc/resolv.conf"
APP_RESOLV_CONF = "app.conf"
"""The app's resolv.conf, in RUN_DIR."""
SIDECAR_RESOLV_CONF = "sidecar.conf"
"""The one that tailscaled may write, in RUN_DIR."""

COREFILE_ANNOTATION = "tailscale-sidecar/corefile"
"""Annotation of the pods that has the resolver's configuration; Kubernetes makes a file of it for the container."""
PREPARED = "prepared"
"""In RUN_DIR, when the pod's routing and the app's resolv.conf are there."""

# Addresses and ports
QUAD100 = "100.100.100.100"
MAGIC_DNS = (QUAD100, "fd7a:115c:a1e0::53")
"""Addresses of Tailscale's resolver (tailscale.com@v1.102.5 net/tsaddr)."""
TAILNET_RANGES = (ipaddress.IPv4Network("100.64.0.0/10"), ipaddress.IPv6Network("fd7a:115c:a1e0::/48"))
"""Addresses of tailnet devices (tailscale.com@v1.102.5 net/tsaddr). Of IPv4, Linux hosts drop packets that come by
another way (util/linuxfw/iptables_runner.go:700)."""
METRICS_PORT = 9002
"""containerboot's own default for metrics and health (tailscale.com@v1.102.5 cmd/containerboot/settings.go)."""
MONITORING_PORT = 9004
MONITORING_PORT_NAME = "sidecar-metrics"
"""Of the container's port, by which a PodMonitor finds it: at most 15 characters (IANA service names, RFC 6335)."""

BURST_REPLICAS = 10
"""Above this, `Parallel` must be asked for twice: all replicas would register at once (the guide, troubleshooting)."""
USERSPACE_UID = 1000
"""The user that Tailscale's own userspace sidecar runs as (tailscale.com@v1.102.5 docs/k8s/userspace-sidecar.yaml)."""
