"""What a run of the benchmarks found: rows of cells, one cell for each subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GUIDE = "guide"
"""The subject that the others are beside. Nothing is asked of it."""


@dataclass(frozen=True)
class Cell:
    """What one subject did, in a few words."""

    text: str
    holds: bool = True
    """Whether it is what the component promises."""


@dataclass(frozen=True)
class Row:
    """What all subjects did."""

    title: str
    cells: Mapping[str, Cell]
    """By the subject's label."""

    def missed(self) -> list[str]:
        """Where the component did not do what it promises."""
        return [
            f"{self.title}: {label}: {cell.text}"
            for label, cell in self.cells.items()
            if label != GUIDE and not cell.holds
        ]


Rows = Iterator[Row]


def failure(error: Exception) -> Cell:
    """The cell of a subject that could not be measured to the end."""
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    return Cell(f"failed: {first_line[:120]}", holds=False)


def counted(count: int, what: str) -> str:
    """`1 restart`, `2 restarts`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
