"""The site as `make docs` builds it, served on this machine, and a browser."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.shell import LabError, run
from tests.support import dashboard_page
from tests.support.browser import browser as start_browser
from tests.support.examples import ROOT
from tests.support.serving import served


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site. A warning ends its build."""
    pytest.importorskip("mkdocs", reason="! the docs are not built: `make docs-test` installs what builds them")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", f"--site-dir={folder}"]
    run(build, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    return folder


@pytest.fixture(scope="session")
def pages(site: Path) -> list[str]:
    """The address of each page within the site."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with served(site) as there:
        yield there


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser, in the network in which the tests are by then."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(start_browser())
        except LabError as error:
            pytest.skip(f"! what needs a browser is skipped: {error}, and run `make docs-test`")
        yield opened


@pytest.fixture(scope="session")
def grafana() -> Path:
    """Grafana's packages, and the page that is made of them."""
    try:
        return dashboard_page.ensure()
    except LabError as error:
        pytest.skip(f"! the dashboard is not seen with what Grafana publishes: {error}")
