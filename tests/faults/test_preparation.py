"""What the sidecar prepares in the pod before the app starts is whole, stays there, and comes back, whatever is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tailscale_sidecar import ClusterDns, InPodSplitDns, KernelNetworking, SplitDns
from tailscale_sidecar.choices.dns import Dns
from tailscale_sidecar.choices.networking import Networking
from tests.lab.images import APP_IMAGE
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.kernel_modes import KERNEL_MODES, NAMESPACED, NAMESPACED_TUN, TUN
from tests.support.look_ups import CLUSTER_NAME
from tests.support.sandbox import SCRIPTS
from tests.support.sidecar import Sidecar, comm, identity, pids_of_pod

MANY = [f"10.{number}.0.0/16" for number in range(100, 220)]
"""As many rules as take a while."""
MODES: list[tuple[Dns, Networking]] = [
    *((dns, KernelNetworking()) for dns in (InPodSplitDns(), SplitDns(), ClusterDns())),
    *((dns, TUN) for dns in (InPodSplitDns(), SplitDns(), ClusterDns())),
    (InPodSplitDns(), NAMESPACED),
    (InPodSplitDns(), NAMESPACED_TUN),
]
NAMES = {id(mode): name for name, mode in KERNEL_MODES.items()}
EVERY_MODE = pytest.mark.parametrize(
    ("dns", "networking"),
    MODES,
    ids=[f"{type(dns).__name__}-{NAMES.get(id(networking), 'privileged')}" for dns, networking in MODES],
)
NAMESERVER = {InPodSplitDns: "127.0.0.1", SplitDns: "100.100.100.100", ClusterDns: "10.96.0.10"}


def rules(app: Deployment) -> list[str]:
    """The rules that keep the cluster out of Tailscale's routing table."""
    listed = app.exec("sh", "-c", "ip -4 rule; ip -6 rule", container="tailscale")
    return sorted(line for line in listed.splitlines() if line.startswith("5000:"))


def nameservers(resolv_conf: str) -> list[str]:
    return [line.split()[1] for line in resolv_conf.splitlines() if line.startswith("nameserver")]


@EVERY_MODE
def test_a_sidecar_that_is_killed_while_it_prepares_prepares_the_rest_at_its_next_start(
    workspace: Workspace, dns: Dns, networking: Networking
) -> None:
    app = workspace.deploy(dns=dns, networking=networking, cluster_cidrs=MANY, wait=False)
    for _ in range(2):
        kill_while_it_prepares(app)
    app.await_ready()
    assert app.restarts() >= 2
    assert set(MANY) <= {rule.split()[4] for rule in rules(app)}
    assert NAMESERVER[type(dns)] in nameservers(app.exec("cat", "/etc/resolv.conf"))
    if not isinstance(dns, SplitDns):
        assert "10.96.0.1" in app.exec("resolve-musl", CLUSTER_NAME)


def kill_while_it_prepares(app: Deployment) -> None:
    """Ends the shells of the pod (SIGKILL) while they add rules, and waits until they are gone."""
    app.wait_for("the sidecar to add rules", lambda: adds_rules(app), 90)
    shells = [pid for pid in pids_of_pod(app.uid()) if comm(pid) in ("sh", "ip")]
    for pid in shells:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    app.wait_for("the shells to be gone", lambda: not {"sh", "ip"} & set(map(comm, shells)))


def adds_rules(app: Deployment) -> bool:
    """Whether it does within half a second: where the rules are there from the start before, it takes less than that."""
    uid, end = app.uid(), time.monotonic() + 0.5
    while time.monotonic() < end:
        if "ip" in map(comm, pids_of_pod(uid)):
            return True
    return False


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    return shared_workspace.deploy(cluster_cidrs=["10.244.0.0/16", "10.96.0.0/16", "fd00:10:244::/64"])


def test_the_rules_are_never_away_while_the_sidecar_starts_again_and_again(app: Deployment) -> None:
    before = rules(app)
    script = SCRIPTS["keep.sh"] + SCRIPTS["prepare.sh"]
    with watched_rules(app) as deleted:
        for _ in range(17):
            app.exec("sh", "-c", script, container="tailscale")  # as each start runs it
        for _ in range(3):
            Sidecar(app).crash()
    assert rules(app) == before
    assert deleted() == []


@contextlib.contextmanager
def watched_rules(app: Deployment) -> Any:
    """What the kernel reports to be deleted of the pod's own rules meanwhile."""
    (pause,) = [pid for pid in pids_of_pod(app.uid()) if comm(pid) == "pause"]
    families = [
        subprocess.Popen(
            ["nsenter", f"--net=/proc/{pause}/ns/net", "ip", family, "monitor", "rule"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for family in ("-4", "-6")
    ]

    def deleted() -> list[str]:
        said = "".join(family.communicate()[0] for family in families)
        return [line for line in said.splitlines() if "Deleted" in line and "5000:" in line]

    try:
        yield deleted
    finally:
        for family in families:
            family.terminate()


def test_rules_that_somebody_removed_are_back_after_the_next_start(app: Deployment) -> None:
    before = rules(app)
    remove = "for family in -4 -6; do while ip $family rule del priority 5000 2>/dev/null; do :; done; done"
    app.exec("sh", "-c", remove, container="tailscale")
    assert rules(app) == []
    Sidecar(app).crash()
    assert rules(app) == before


def test_the_app_keeps_the_very_file_that_it_has_mounted(app: Deployment) -> None:
    look = ("stat", "-c", "%i %Y %s", "/etc/resolv.conf")
    before = app.exec(*look)
    Sidecar(app).crash()
    assert app.exec(*look) == before


def test_tailscaled_writes_to_no_file_that_another_container_reads(app: Deployment) -> None:
    assert "100.100.100.100" in nameservers(app.exec("cat", "/etc/resolv.conf", container="tailscale"))
    (resolver,) = [pid for pid in pids_of_pod(app.uid()) if comm(pid) == "coredns"]
    kubelets = Path(f"/proc/{resolver}/root/etc/resolv.conf").read_text(encoding="utf-8")
    assert "10.96.0.10" in nameservers(kubelets)
    assert "100.100.100.100" not in kubelets


@EVERY_MODE
def test_an_app_that_does_not_wait_for_the_tailnet_finds_all_prepared_at_its_first_instruction(
    workspace: Workspace, dns: Dns, networking: Networking
) -> None:
    look = {**APP, "command": ["sh", "-c", "cat /etc/resolv.conf; ip rule; exec app"]}
    spec = {"containers": [look], "terminationGracePeriodSeconds": 1}
    with workspace.tailnet.fault(target="/machine/register", outage=True):
        app = workspace.deploy(dns=dns, networking=networking, wait_for_tailnet=False, pod_spec=spec)
        app.wait_for("its first words", lambda: "5000:" in app.logs(container="app"))
    seen = app.logs(container="app")
    assert NAMESERVER[type(dns)] in nameservers(seen)
    assert "options ndots:5" in seen


@pytest.mark.parametrize("networking", [KernelNetworking(), TUN], ids=["privileged", "tun"])
def test_a_tailscaled_that_ends_before_it_is_up_is_started_again_and_the_status_says_why(
    workspace: Workspace, networking: Networking
) -> None:
    workspace.kubectl("create", "configmap", "no-device", "--from-literal=tun=")
    spec = {
        "containers": [{"name": "app", "image": APP_IMAGE}],
        "volumes": [{"name": "no-device", "configMap": {"name": "no-device"}}],
    }
    hidden = {"name": "no-device", "mountPath": "/dev/net/tun", "subPath": "tun"}
    app = workspace.deploy(networking=networking, pod_spec=spec, sidecar_volume_mounts=[hidden], wait=False)
    sidecar = Sidecar(app)
    app.wait_for("the second start", lambda: bool(app.containers()) and sidecar.status()["restartCount"] > 0)
    app.wait_for("the reason", lambda: "tailscaled has ended" in sidecar.last_words())
    assert 'tstun.New("tailscale0")' in sidecar.last_words()


def test_a_tailscaled_that_is_killed_before_the_device_is_on_the_tailnet_is_started_again(workspace: Workspace) -> None:
    with workspace.tailnet.fault(target="/machine/register", outage=True):
        app = workspace.deploy(wait=False)
        sidecar = Sidecar(app)
        app.wait_for("tailscaled", lambda: bool(app.containers()) and bool(sidecar.pids("tailscaled")))
        sidecar.kill()
        app.wait_for("the next start", lambda: sidecar.status()["restartCount"] == 1)
    app.await_ready()
    assert len(identity(app.devices())) == 1
