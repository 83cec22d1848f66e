"""What the commands that a newcomer types would run, by what Make says of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.examples import ROOT

LAB_SET_UP = "-m tests.lab setup"
GO = "cd tests/lab/tailnet && go vet"


def would_run(*arguments: str, path: Path, user: int = 0, kubeconfig: str = "") -> str:
    """The commands of a target that Make would run for a user."""
    (path / "id").write_text(f"#!/bin/sh\necho {user}\n", encoding="utf-8")
    (path / "id").chmod(0o755)
    env = {"PATH": f"{path}:{os.environ['PATH']}", **({"KUBECONFIG": kubeconfig} if kubeconfig else {})}
    command = ["make", "--dry-run", "--always-make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


def test_the_demo_uses_the_lab_also_where_a_kubeconfig_is_exported(tmp_path: Path) -> None:
    for exported in ("", "/home/me/.kube/config"):
        commands = would_run("demo", path=tmp_path, kubeconfig=exported)
        assert "-m tests.demo" in commands
        assert "--kubeconfig" not in commands


def test_the_demo_on_a_cluster_of_ones_own_builds_nothing(tmp_path: Path) -> None:
    commands = would_run("demo", "KUBECONFIG=/home/me/kube config", path=tmp_path)
    assert "-m tests.demo --kubeconfig='/home/me/kube config'" in commands
    assert "tests.lab" not in commands


@pytest.mark.parametrize("user", [0, 1000])
def test_tests_that_need_root_are_skipped_without_it_with_one_line_that_says_so(tmp_path: Path, user: int) -> None:
    commands = would_run("test", user=user, path=tmp_path)
    assert ("are skipped: the lab needs root (sudo make test)" in commands) == (user != 0)
    assert (LAB_SET_UP in commands) == (user == 0)
    assert "tests/unit tests/component" in commands
    assert (GO in commands) == (user == 0)


def test_what_make_test_leaves_out_as_wide_is_run_before_a_change_lands(tmp_path: Path) -> None:
    assert "and not wide" in would_run("test", path=tmp_path)
    assert '"not soak and wide"' in would_run("test-wide", path=tmp_path)
    assert "make test test-wide" in (ROOT / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.parametrize("user", [0, 1000])
@pytest.mark.parametrize("target", ["check", "test-code"])
def test_a_fresh_clone_needs_neither_root_nor_go_to_be_checked(tmp_path: Path, target: str, user: int) -> None:
    commands = would_run(target, user=user, path=tmp_path)
    assert "python3 -m venv .venv" in commands
    assert GO not in commands
    assert "tests.lab" not in commands
