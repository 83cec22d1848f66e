"""Fixtures of the tests with a real Pulumi engine, on the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conftest import lab, tailnet, workspace  # noqa: F401 - fixtures
from tests.cluster.deployment import Workspace

from .program import Program
from .pulumi_cli import MissingError, PulumiCli, ensure

CLI = pytest.StashKey[PulumiCli]()
MISSING = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Finds or installs the CLI now: once a test has entered the lab's network, nothing can be downloaded."""
    need = [item for item in items if "cli" in getattr(item, "fixturenames", ())]
    if not need or config.option.collectonly:
        return
    try:
        config.stash[CLI] = ensure()
    except MissingError as error:
        config.stash[MISSING] = f"engine tests skipped: {error}"
        for item in need:
            item.add_marker(pytest.mark.skip(reason=config.stash[MISSING]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what is missing, however quiet the run."""
    if reason := config.stash.get(MISSING, ""):
        terminalreporter.write_line(f"! {reason}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def cli(pytestconfig: pytest.Config) -> PulumiCli:
    """The Pulumi CLI. Tests that ask for it are skipped where it cannot be had."""
    return pytestconfig.stash[CLI]


@pytest.fixture
def program(cli: PulumiCli, workspace: Workspace, tmp_path: Path) -> Program:  # noqa: F811 - pytest's way
    """A Pulumi program of the test's own, in a namespace of the test's own."""
    return Program.create(workspace, cli, tmp_path)
