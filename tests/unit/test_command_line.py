"""The command line: what its commands share, they take and refuse alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pulumi.runtime import rpc

import tailscale_sidecar
from tailscale_sidecar.__main__ import COMMANDS, main
from tailscale_sidecar.inspection.unknown_values import UNKNOWN
from tailscale_sidecar.report.findings import ExitStatus
from tests.support.site import NAME, NAMESPACE, component

LOADS = """
import atexit, sys
atexit.register(lambda: print(*sorted({name.partition(".")[0] for name in sys.modules})))
from tailscale_sidecar.__main__ import main
sys.exit(main())
"""
"""The command, which prints the packages that it has loaded when it ends."""


@pytest.mark.parametrize("command", ["doctor", "adopt"])
def test_a_namespace_that_contradicts_the_reference_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "other/my-app", "--namespace=db"]) == ExitStatus.BLIND
    assert capsys.readouterr().err == f"tailscale-sidecar {command}: other/my-app is not in namespace db\n"


@pytest.mark.parametrize("command", ["doctor", "preflight", "adopt"])
@pytest.mark.parametrize(
    ("cidr", "error"),
    [("10.0.0.0/33", "'10.0.0.0/33' is not a CIDR"), ("10.0.0.1/8", "'10.0.0.1/8' must be written 10.0.0.0/8")],
)
def test_a_cluster_cidr_that_is_none_is_refused_before_anything_is_asked(
    command: str, cidr: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, f"--cluster-cidr={cidr}"])
    assert ended.value.code == ExitStatus.BLIND
    assert f"argument --cluster-cidr: {error}" in capsys.readouterr().err


# -- what is loaded ----------------------------------------------------------------------------


def run(*arguments: str, **environment: str) -> tuple[str, set[str]]:
    """What a command in a new process prints, and the packages that it loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADS, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    printed, _, loaded = done.stdout.rstrip().rpartition("\n")
    return printed, set(loaded.split())


def test_help_loads_nothing_but_python_and_names_every_command() -> None:
    printed, loaded = run("--help")
    assert all(f"{name} " in printed and text in " ".join(printed.split()) for name, text in COMMANDS.items())
    assert loaded & {"pulumi", "pulumi_kubernetes", "kubernetes", "pydantic", "yaml"} == set()


@pytest.mark.parametrize("command", ["render", "preflight", "doctor"])
def test_the_help_of_a_command_loads_no_pulumi(command: str) -> None:
    printed, loaded = run(command, "--help")
    assert f"usage: tailscale-sidecar {command}" in printed
    assert "pulumi" not in loaded


def test_doctor_loads_no_pulumi(tmp_path: Path) -> None:
    with component() as site:
        kubeconfig = f"--kubeconfig={site.server.kubeconfig(tmp_path)}"
        printed, loaded = run("doctor", f"{NAMESPACE}/{NAME}", "--no-exec", kubeconfig, PATH="/nonexistent")
    assert f"StatefulSet {NAMESPACE}/{NAME}" in printed
    assert "pulumi" not in loaded


def test_what_pulumi_writes_for_an_unknown_value_is_known_without_it() -> None:
    assert UNKNOWN == rpc.UNKNOWN


def test_a_reader_that_has_enough_is_no_error() -> None:
    words = [sys.executable, "-m", "tailscale_sidecar", "lint"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""


# -- the package's names -----------------------------------------------------------------------


def test_every_public_name_is_there_for_each_way_to_import_it() -> None:
    everything: dict[str, object] = {}
    exec("from tailscale_sidecar import *", everything)  # noqa: S102 - not to be written in a function
    for name in tailscale_sidecar.__all__:
        assert everything[name] is getattr(tailscale_sidecar, name)
        assert everything[name].__name__ == name  # type: ignore[attr-defined] # all are classes
    assert set(tailscale_sidecar.__all__) <= set(dir(tailscale_sidecar))


def test_a_name_that_is_not_there_is_an_error_that_says_so() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Sidecar'"):
        exec("from tailscale_sidecar import Sidecar")  # noqa: S102 - what a user types
