"""scripts/prepare.sh by itself, on a root of files and with programs that do nothing but say so."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import tailscale_sidecar

SCRIPT = Path(tailscale_sidecar.__file__).parent / "scripts" / "prepare.sh"
ENVIRONMENT = {
    "POD_IPS": "10.244.0.7",
    "HOST_IPS": "192.168.1.5",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "CLUSTER_CIDRS": "10.244.0.0/16,10.96.0.0/12",
    "FORWARD": "false",
    "APP_NAMESERVER": "127.0.0.1",
    "COREFILE": "forward . CLUSTER_DNS, ready POD_ADDRESS",
}


def prepare(root: Path, resolv_conf: str = "nameserver 10.96.0.10\n", **environment: str) -> tuple[int, str]:
    """Runs the script with everything that it touches below `root`; returns its status and what it said."""
    (root / "run").mkdir()
    (root / "resolv.conf").write_text(resolv_conf)
    for program in ("ip", "sysctl"):
        (root / program).write_text(f'#!/bin/sh\necho "{program} $*"\n')
        (root / program).chmod(0o755)
    script = SCRIPT.read_text(encoding="utf-8")
    script = script.replace("/run/tailscale-sidecar", f"{root}/run").replace("/etc/resolv.conf", f"{root}/resolv.conf")
    env = {**ENVIRONMENT, **environment, "PATH": f"{root}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("what", "environment"),
    [
        ("pod's address", {"POD_IPS": "100.64.0.9"}),
        ("pod's address", {"POD_IPS": "fd00::7,100.127.255.254"}),
        ("node's address", {"HOST_IPS": "100.99.1.1"}),
        ("API server's address", {"KUBERNETES_SERVICE_HOST": "100.110.0.1"}),
        ("nameserver", {"resolv_conf": "search x\nnameserver 100.70.0.10\noptions ndots:5\n"}),
    ],
)
def test_a_cluster_inside_the_tailnets_range_is_refused_with_the_way_out(
    tmp_path: Path, what: str, environment: dict[str, str]
) -> None:
    status, said = prepare(tmp_path, **environment)
    assert status == 1
    assert re.search(f"The {what} 100[.0-9]+ lies in 100.64.0.0/10", said)
    assert "UserspaceNetworking()" in said


@pytest.mark.parametrize("address", ["100.63.255.255", "100.128.0.1", "10.100.64.1", "100.6.4.1", "110.64.0.1"])
def test_addresses_beside_the_tailnets_range_are_none_of_it(tmp_path: Path, address: str) -> None:
    assert prepare(tmp_path, POD_IPS=address)[0] == 0


def test_all_of_the_cluster_is_kept_out_of_the_tailnets_routes(tmp_path: Path) -> None:
    _, said = prepare(tmp_path)
    for destination in ("10.96.0.10", "192.168.1.5", "10.96.0.1", "10.244.0.0/16", "10.96.0.0/12"):
        assert f"ip -4 rule add to {destination} lookup main priority 5000" in said


def test_the_apps_resolv_conf_has_one_nameserver_and_all_else_as_the_kubelet_wrote_it(tmp_path: Path) -> None:
    prepare(tmp_path, "search a b\nnameserver 10.96.0.10\nnameserver fd00::a\noptions ndots:5 timeout:1\n")
    assert (tmp_path / "run/app.conf").read_text() == "nameserver 127.0.0.1\nsearch a b\noptions ndots:5 timeout:1\n"
    assert (tmp_path / "run/Corefile").read_text() == "forward . 10.96.0.10 fd00::a , ready 10.244.0.7\n"


@pytest.mark.parametrize("forward", ["true", "false"])
def test_forwarding_is_switched_on_only_where_it_is_needed(tmp_path: Path, forward: str) -> None:
    assert ("sysctl -w net.ipv4.ip_forward=1" in prepare(tmp_path, FORWARD=forward)[1]) == (forward == "true")
