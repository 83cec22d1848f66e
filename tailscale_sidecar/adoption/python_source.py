"""Python source for plain values, laid out as a person would write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

WIDEST = 120
INDENT = 4


class Source(str):
    """Python source, where any other string is written as a literal."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return str(self)


def call(function: str, **arguments: Any) -> Source:
    """A call with keyword arguments, on one line."""
    given = ", ".join(f"{name}={literal(value)}" for name, value in arguments.items())
    return Source(f"{function}({given})")


def literal(value: Any, *, indent: int = 0, room: int = WIDEST) -> str:
    """A value as source: on one line where that fits into `room` characters, else one item a line."""
    flat = one_line(value)
    if len(flat) <= room and "\\n" not in flat:
        return flat
    inner = " " * (indent + INDENT)
    space = WIDEST - len(inner) - 1
    if isinstance(value, str) and not isinstance(value, Source):
        lines = "".join(f"{inner}{one_line(line)}\n" for line in value.splitlines(keepends=True))
        return f"(\n{lines}{' ' * indent})" if value.count("\n") > 1 else flat
    if isinstance(value, Mapping):
        items = [(f"{one_line(key)}: ", item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [("", item) for item in value]
    else:
        return flat
    written = [f"{inner}{key}{literal(item, indent=indent + INDENT, room=space - len(key))},\n" for key, item in items]
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    return f"{opening}\n{''.join(written)}{' ' * indent}{closing}"


def one_line(value: Any) -> str:
    """A value as source, however long."""
    if isinstance(value, Source):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # Python reads it as the same text
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{one_line(key)}: {one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(one_line, value)) + "]"
    return repr(value)
