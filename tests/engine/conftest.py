"""Fixtures of the tests with a real Pulumi engine, on the lab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import sdks
from tests.lab import LabError, binaries
from tests.support.build_before import EARLIER_BUILDS, checked_out, is_there
from tests.support.deployment import Workspace
from tests.support.languages import on_the_lab
from tests.support.package import installed
from tests.support.program import Program
from tests.support.pulumi_cli import MissingError, PulumiCli, ensure, ensure_provider

CLI = pytest.StashKey[PulumiCli]()
MADE = pytest.StashKey[dict[str, Path]]()
"""What is compiled before, by the name of its fixture."""
MISSING = pytest.StashKey[dict[str, str]]()
"""Why tests that ask for a fixture are skipped."""
BROKEN = pytest.StashKey[dict[str, str]]()
"""Why they fail."""
LANGUAGES: dict[str, tuple[str, Callable[[], Path]]] = {
    "node_sdk": ("TypeScript", lambda: sdks.node(on_the_lab)),
    "go_sdk": ("Go", lambda: sdks.go(on_the_lab)),
    "python_sdk": ("Python with the package", lambda: sdks.python(on_the_lab)),
    "yaml_program": ("YAML", lambda: binaries.ensure(binaries.PULUMI_YAML) / "pulumi-language-yaml"),
}
"""What programs in other languages need, by the name of its fixture."""


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
    if "earlier_build" in wanted and (lacking := [build for build in EARLIER_BUILDS if not is_there(build)]):
        missing["earlier_build"] = (
            f"tests of upgrades are skipped: this clone's history lacks {', '.join(lacking)}; "
            "get it by `git fetch --unshallow`"
        )
    config.stash[MADE] = made = {}
    config.stash[BROKEN] = broken = {}
    for name, (what, make) in LANGUAGES.items():
        try:
            if name in wanted:
                made[name] = make()
        except LabError as error:
            missing[name] = f"tests of programs in {what} are skipped: {error}"
        except sdks.BrokenError as error:
            broken[name] = str(error)
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


@pytest.fixture(scope="session", params=EARLIER_BUILDS)
def earlier_build(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Path]:
    """The folder of the package as an earlier build has it. Tests that use it are skipped where the clone is shallow."""
    if reason := pytestconfig.stash[MISSING].get("earlier_build"):
        pytest.skip(reason)
    with checked_out(request.param) as package:
        yield package


def _made(name: str, config: pytest.Config) -> Path:
    """What was made before. Tests that use it are skipped where it could not be, and fail where it is wrong."""
    if reason := config.stash[BROKEN].get(name):
        pytest.fail(reason, pytrace=False)
    if reason := config.stash[MISSING].get(name):
        pytest.skip(reason)
    return config.stash[MADE][name]


@pytest.fixture(scope="session")
def node_sdk(pytestconfig: pytest.Config) -> Path:
    """The folder of the SDK for Node, with the programs in TypeScript, compiled."""
    return _made("node_sdk", pytestconfig)


@pytest.fixture(scope="session")
def go_sdk(pytestconfig: pytest.Config) -> Path:
    """The folder of the SDK for Go, with the programs in Go, compiled."""
    return _made("go_sdk", pytestconfig)


@pytest.fixture(scope="session")
def python_sdk(pytestconfig: pytest.Config) -> Path:
    """The folder of the SDK for Python, installed, with the programs that use it."""
    return _made("python_sdk", pytestconfig)


@pytest.fixture(scope="session")
def yaml_program(pytestconfig: pytest.Config) -> Path:
    """Pulumi's host for YAML."""
    return _made("yaml_program", pytestconfig)


@pytest.fixture
def program(cli: PulumiCli, workspace: Workspace, tmp_path: Path) -> Program:
    """A Pulumi program of the test's own, in a namespace of the test's own."""
    return Program.create(workspace, cli, tmp_path)


@pytest.fixture
def plugins(tmp_path: Path) -> str:
    """What a project says of the package."""
    return installed(tmp_path)
