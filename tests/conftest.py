"""What all layers of the tests share: the lab ends with the session that started it."""

from __future__ import annotations

import os

import pytest


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remembers, in the process that leads, whether a lab was up before."""
    if not hasattr(session.config, "workerinput") and os.geteuid() == 0:
        from tests.lab import Lab  # noqa: PLC0415 - needs nothing that unit tests need

        session.config.stash[LAB_WAS_UP] = Lab().is_healthy()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stops a lab that this session started."""
    if session.config.stash.get(LAB_WAS_UP, True) is False:
        from tests.lab import Lab  # noqa: PLC0415 - as above

        Lab().stop()


LAB_WAS_UP = pytest.StashKey[bool]()
