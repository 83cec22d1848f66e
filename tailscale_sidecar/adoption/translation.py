"""What one side of a workload (its auth method, its state, its flags) becomes in the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from .python_source import Source


@dataclass(frozen=True, kw_only=True)
class Translation:
    """Arguments of the component, and what a person has to know or to do for them. They can be summed."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """By name; a `Source` is written as it is, all else as a literal."""
    notes: tuple[str, ...] = ()
    """What will be otherwise than it was."""
    before: tuple[str, ...] = ()
    """Shell commands to run before the import."""
    makes: tuple[str, ...] = ()
    """Secrets that these commands make."""
    after: tuple[str, ...] = ()
    """Shell commands to run after the first `up`."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Configuration that the program needs, by key: the shell command that prints the value, or nothing where the
    person must know it."""

    def __add__(self, other: Translation) -> Translation:
        return Translation(
            arguments={**self.arguments, **other.arguments},
            notes=self.notes + other.notes,
            before=self.before + other.before,
            makes=self.makes + other.makes,
            after=self.after + other.after,
            secrets={**self.secrets, **other.secrets},
        )


def note(text: str, *, when: bool = True) -> Translation:
    """Something that a person has to know."""
    return Translation(notes=(text,)) if when else Translation()


def total(*translations: Translation) -> Translation:
    """The sum of translations."""
    return reduce(Translation.__add__, translations, Translation())


def secret(key: str) -> Source:
    """What the program has in the place of a secret: the stack's configuration."""
    return Source(f'config.require_secret("{key}")')
