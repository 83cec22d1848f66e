"""Fixtures of the tests with a real Pulumi engine, on the lab."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tests import sdks
from tests.lab import LabError
from tests.support.deployment import Workspace
from tests.support.program import Program
from tests.support.pulumi_cli import MissingError, PulumiCli, ensure, ensure_provider

CLI = pytest.StashKey[PulumiCli]()
NODE_SDK = pytest.StashKey[Path]()
MISSING = pytest.StashKey[dict[str, str]]()
"""Why tests that ask for a fixture are skipped."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Finds, installs or builds Pulumi now: once a test has entered the lab's network, nothing can be downloaded."""
    config.stash[MISSING] = missing = {}
    wanted = {name for item in items for name in getattr(item, "fixturenames", ())}
    if "cli" not in wanted or config.option.collectonly:
        return
    config.stash[CLI] = ensure()
    if "released_provider" in wanted and not config.stash[CLI].is_released:
        missing["released_provider"] = (
            f"tests of what Pulumi's provider for Kubernetes {version('pulumi-kubernetes')} does are skipped: "
            "its download failed, and the newest that builds from its Go module is of January 2026"
        )
    try:
        if "node_sdk" in wanted:
            config.stash[NODE_SDK] = sdks.node()
    except LabError as error:
        missing["node_sdk"] = f"tests of programs in TypeScript are skipped: {error}"
    try:
        if "tailscale_provider" in wanted:
            ensure_provider(config.stash[CLI], "tailscale")
    except MissingError as error:
        missing["tailscale_provider"] = f"tests of what Pulumi makes on a tailnet skipped: {error}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what is missing also where pytest was not asked to list what it skips."""
    for reason in config.stash.get(MISSING, {}).values():
        if not terminalreporter.hasopt("s"):
            terminalreporter.write_line(f"! {reason}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def cli(pytestconfig: pytest.Config) -> PulumiCli:
    """The Pulumi CLI."""
    return pytestconfig.stash[CLI]


@pytest.fixture(scope="session")
def released_provider(cli: PulumiCli, pytestconfig: pytest.Config) -> None:
    """Pulumi's provider for Kubernetes as released with the SDK. Tests of what is new in it are skipped without."""
    del cli
    if reason := pytestconfig.stash[MISSING].get("released_provider"):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def tailscale_provider(cli: PulumiCli, pytestconfig: pytest.Config) -> None:
    """Pulumi's provider for Tailscale. Tests that use it are skipped where it cannot be had."""
    del cli
    if reason := pytestconfig.stash[MISSING].get("tailscale_provider"):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def node_sdk(pytestconfig: pytest.Config) -> Path:
    """The folder of the SDK for Node, with its example, compiled. Tests that use it are skipped where it cannot be had."""
    if reason := pytestconfig.stash[MISSING].get("node_sdk"):
        pytest.skip(reason)
    return pytestconfig.stash[NODE_SDK]


@pytest.fixture
def program(cli: PulumiCli, workspace: Workspace, tmp_path: Path) -> Program:
    """A Pulumi program of the test's own, in a namespace of the test's own."""
    return Program.create(workspace, cli, tmp_path)
