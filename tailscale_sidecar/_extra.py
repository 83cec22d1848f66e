"""The packages of the extras `devices` and `doctor`, which only those need who use what reads the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

PACKAGES = ("kubernetes", "cryptography")
OF_THE_COMMAND_LINE = ("adopt", "doctor", "preflight")
"""What needs the extra `doctor`; all else needs `devices`."""


class ExtraMissingError(ImportError):
    """The message says which extra to install, and what for."""

    def __init__(self, feature: str) -> None:
        extra, reads = ("doctor", "cluster") if feature in OF_THE_COMMAND_LINE else ("devices", "state Secrets")
        super().__init__(
            f"{feature} reads the {reads}, for which it needs the extra `{extra}`: "
            f"pip install 'tailscale-sidecar[{extra}]'"
        )


def require(feature: str) -> None:
    """Raises ExtraMissingError unless the extra `devices` is installed; imports nothing."""
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
