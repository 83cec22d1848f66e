"""`make demo` ends well on the lab, and on a cluster of one's own with Pulumi and without."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo import NAMESPACE
from tests.lab import Lab
from tests.lab.images import APP_IMAGE
from tests.lab.settings import CACHE, NAME
from tests.lab.shell import locked
from tests.lab.tailnet_client import Tailnet
from tests.support.pulumi_cli import PulumiCli
from tests.support.stack import REPOSITORY

ROW = re.compile(r"^  (my-app-\d) +(\S+\.lab\.ts\.net) +(100\.\S+) +(fd7a:\S+)$", re.MULTILINE)


def run_demo(*arguments: str, program: str = "tests.demo", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the demo as Make does; both streams come as one, as on a terminal."""
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def assert_same_address(shown: str) -> list[tuple[str, ...]]:
    """Fails unless the first of two replicas is shown to have the same addresses as another pod; returns their table."""
    rows: list[tuple[str, ...]] = ROW.findall(shown)
    (pod, name, ipv4, ipv6), _ = rows
    uids = re.search(rf"{pod} is a new pod \(UID (\S+) before, (\S+) now\) and the same device", shown)
    assert uids
    assert uids[1] != uids[2]
    assert f"{name} is still {ipv4} and {ipv6}" in shown
    return rows


@pytest.fixture
def alone(lab: Lab) -> Iterator[None]:
    """The demo's namespace has a fixed name: one test at a time, and none finds what another left."""
    with locked(CACHE / f"{NAME}-demo.lock", "runs the demo"):
        yield
        lab.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


@pytest.fixture
def path_without_pulumi(tmp_path: Path) -> str:
    """A PATH with all programs but Pulumi's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in (program for other in os.environ["PATH"].split(":") for program in Path(other).glob("*")):
        link = folder / program.name
        if not link.name.startswith("pulumi") and not link.is_symlink():
            link.symlink_to(program)
    return str(folder)


@pytest.mark.usefixtures("cli", "alone")
def test_the_demo_shows_the_same_address_and_can_be_run_again(lab: Lab) -> None:
    for again in (False, True):
        done = run_demo()
        assert done.returncode == 0, done.stdout
        assert "pulumi up" in done.stdout
        assert ("removing what an earlier demo left" in done.stdout) is again
        assert_same_address(done.stdout)
        assert "Look around" in done.stdout
    assert lab.is_healthy()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "program", [pytest.param("tests.demo", marks=pytest.mark.soak), pytest.param("tests.smoke", marks=pytest.mark.wide)]
)
def test_demo_and_smoke_test_on_a_cluster_of_ones_own_leave_nothing_there_and_in_the_tailnet(
    program: str, lab: Lab, tailnet: Tailnet, cli: PulumiCli
) -> None:
    shown = run_on_own_cluster(program, lab, tailnet, PATH=f"{cli.program.parent}:{lab.environment()['PATH']}")
    assert "pulumi destroy" in shown


@pytest.mark.usefixtures("alone")
def test_without_pulumi_kubectl_applies_what_it_would_make(
    path_without_pulumi: str, lab: Lab, tailnet: Tailnet, tmp_path: Path
) -> None:
    # The installer fails: this process, and so the demo, is in the lab's network, which has no way out.
    home = str(tmp_path)
    path = f"{lab.environment()['PATH'].partition(':')[0]}:{path_without_pulumi}"
    shown = run_on_own_cluster("tests.demo", lab, tailnet, PATH=path, TAILSCALE_SIDECAR_PULUMI_HOME=home)
    assert "the Pulumi CLI is not on PATH and its installer failed" in shown


def run_on_own_cluster(program: str, lab: Lab, tailnet: Tailnet, **environment: str) -> str:
    """Runs the demo or the smoke test as on a cluster and tailnet of one's own; fails if it leaves anything."""
    client_id, client_secret = tailnet.oauth_client(scopes=("auth_keys", "devices:core"))
    own = {
        **lab.environment(),
        "TS_CLIENT_ID": client_id,
        "TS_CLIENT_SECRET": client_secret,
        "TS_LOGIN_SERVER": lab.tailnet_url,
        "DEMO_APP_IMAGE": APP_IMAGE,
        **environment,
    }
    done = run_demo(f"--kubeconfig={lab.kubeconfig}", program=program, **own)
    assert done.returncode == 0, done.stdout
    rows = assert_same_address(done.stdout)
    # By address: another test's device may take the name as soon as it is free.
    addresses = {address for device in tailnet.devices() for address in device.addresses}
    assert addresses.isdisjoint(address for _, _, *of_device in rows for address in of_device)
    assert NAMESPACE not in lab.kubectl("get", "namespaces", "--output=name")
    return done.stdout


def test_the_demo_on_a_cluster_of_ones_own_names_the_credentials_that_it_needs() -> None:
    done = run_demo("--kubeconfig=whichever", TS_CLIENT_ID="", TS_CLIENT_SECRET="")
    assert done.returncode == 1
    assert "set TS_CLIENT_ID and TS_CLIENT_SECRET: an OAuth client" in done.stdout
