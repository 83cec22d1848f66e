"""What one side of a workload (its auth method, its state, its flags) becomes in the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from .source import Source


@dataclass(frozen=True, kw_only=True)
class Part:
    """Arguments of the component, and what a person has to know or to do for them. Parts can be summed."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """By name; a `Source` is written as it is, all else as a literal."""
    notes: tuple[str, ...] = ()
    """What will be otherwise than it was."""
    before: tuple[str, ...] = ()
    """Shell commands to run before the import."""
    makes: tuple[str, ...] = ()
    """Secrets that these commands make."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Configuration that the program needs, by key: the shell command that prints the value, or nothing where the
    person must know it."""

    def __add__(self, other: Part) -> Part:
        return Part(
            arguments={**self.arguments, **other.arguments},
            notes=self.notes + other.notes,
            before=self.before + other.before,
            makes=self.makes + other.makes,
            secrets={**self.secrets, **other.secrets},
        )


def note(text: str, *, when: bool = True) -> Part:
    """Something that a person has to know."""
    return Part(notes=(text,)) if when else Part()


def total(*parts: Part) -> Part:
    """The sum of parts."""
    return reduce(Part.__add__, parts, Part())


def secret(key: str) -> Source:
    """What the program has in the place of a secret: the stack's configuration."""
    return Source(f'config.require_secret("{key}")')
