"""A real browser, without a window."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.lab.shell import LabError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def browser() -> Iterator[Any]:
    """One for as long as the block lasts, in the network in which the process is by then.

    Raises:
        LabError: There is none.
    """
    try:
        playwright = importlib.import_module("playwright.sync_api")  # `make test` does not install it
    except ImportError as error:
        raise LabError("playwright is missing: `make .venv/docs` installs it") from error
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise LabError("install Debian's package chromium")
    with playwright.sync_playwright() as driver:
        # Chromium's own sandbox refuses root; all that it opens here is the project's own.
        launched = driver.chromium.launch(executable_path=program, chromium_sandbox=os.geteuid() != 0)
        yield launched
        launched.close()
