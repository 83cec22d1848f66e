"""The package's extras, each for those only who use a feature that needs it. Nothing imports one before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from .errors import ExtraMissingError


@dataclass(frozen=True)
class Extra:
    """An extra: `pip install 'tailscale-sidecar[<name>]'`."""

    name: str
    packages: tuple[str, ...]
    """What a feature imports of it."""
    why: str
    """What a feature does that needs it, as the verb of a sentence."""

    def require(self, feature: str) -> None:
        """Raises ExtraMissingError unless it is installed; imports nothing."""
        if not all(find_spec(package) for package in self.packages):
            raise self._missing(feature)

    @contextmanager
    def needed_for(self, feature: str) -> Iterator[None]:
        """Around an import of its packages: where they are not installed, raises ExtraMissingError."""
        try:
            yield
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in self.packages:
                raise
            raise self._missing(feature) from error

    def _missing(self, feature: str) -> ExtraMissingError:
        return ExtraMissingError(
            f"{feature} {self.why}; install the extra `{self.name}`: pip install 'tailscale-sidecar[{self.name}]'"
        )


DEVICES = Extra("devices", ("kubernetes", "cryptography"), "reads the state Secrets")
DOCTOR = Extra("doctor", ("kubernetes",), "reads the cluster")
TAILSCALE = Extra("tailscale", ("pulumi_tailscale",), "needs Pulumi's provider for Tailscale")
COMMANDS = ("adopt", "doctor", "preflight")


def with_client(feature: str) -> Extra:
    """The extra that brings a feature the cluster's client."""
    return DOCTOR if feature in COMMANDS else DEVICES
