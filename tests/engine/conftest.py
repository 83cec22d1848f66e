"""Fixtures of the tests with a real Pulumi engine, on the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.deployment import Workspace

from .program import Program
from .pulumi_cli import MissingError, PulumiCli, ensure

CLI = pytest.StashKey[PulumiCli]()
MISSING = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Finds or installs the CLI now: once a test has entered the lab's network, nothing can be downloaded."""
    is_needed = any("cli" in getattr(item, "fixturenames", ()) for item in items)
    if not is_needed or config.option.collectonly:
        return
    try:
        config.stash[CLI] = ensure()
    except MissingError as error:
        config.stash[MISSING] = f"engine tests skipped: {error}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what is missing also where pytest was not asked to list what it skips."""
    reason = config.stash.get(MISSING, "")
    if reason and not terminalreporter.hasopt("s"):
        terminalreporter.write_line(f"! {reason}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def cli(pytestconfig: pytest.Config) -> PulumiCli:
    """The Pulumi CLI. Tests that ask for it are skipped where it cannot be had."""
    if reason := pytestconfig.stash.get(MISSING, ""):
        pytest.skip(reason)
    return pytestconfig.stash[CLI]


@pytest.fixture
def program(cli: PulumiCli, workspace: Workspace, tmp_path: Path) -> Program:
    """A Pulumi program of the test's own, in a namespace of the test's own."""
    return Program.create(workspace, cli, tmp_path)
