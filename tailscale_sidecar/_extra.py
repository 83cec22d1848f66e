"""The packages of the extra `devices`, which only those need who ask for devices or their clean-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

PACKAGES = ("kubernetes", "cryptography")


class ExtraMissingError(ImportError):
    """The message says which extra to install, and what for."""

    def __init__(self, feature: str) -> None:
        super().__init__(
            f"{feature} reads the state Secrets, for which it needs the extra `devices`: "
            "pip install 'tailscale-sidecar[devices]'"
        )


def require(feature: str) -> None:
    """Raises ExtraMissingError unless the extra is installed; imports nothing."""
    if not all(find_spec(package) for package in PACKAGES):
        raise ExtraMissingError(feature)


@contextmanager
def needed_for(feature: str) -> Iterator[None]:
    """Turns a failed import of the extra's packages into an error that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        raise ExtraMissingError(feature) from error
