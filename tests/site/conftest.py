"""The site as `make docs` builds it, served on this machine, and a browser."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from tests.lab.shell import run
from tests.support.examples import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = (
    "! the walk through the docs in a browser is skipped: install Debian's package chromium, and run `make docs-test`"
)


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of what it serves."""

    @override
    def log_message(self, *_: Any) -> None:
        pass


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
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason=NO_BROWSER)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(NO_BROWSER)
    with playwright.sync_playwright() as driver:
        # Chromium's own sandbox refuses root; all that it opens here is the project's own.
        launched = driver.chromium.launch(executable_path=program, chromium_sandbox=os.geteuid() != 0)
        yield launched
        launched.close()
