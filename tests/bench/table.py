"""What a run of the benchmarks found: rows of cells, one cell for each subject."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

GUIDE = "guide"
"""The subject that the others are beside, and how the label of each variant of it begins. Nothing is asked of them."""
BY_HAND, COMPONENT = "by hand", "component"
"""The same program without and with the component."""


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
        return [f"{self.title}: {label}: {cell.text}" for label, cell in self.cells.items() if self.misses(label)]

    def misses(self, label: str) -> bool:
        """Whether that subject is the component and did not."""
        return not label.startswith(GUIDE) and not self.cells[label].holds


Rows = Iterator[Row]


def beside_by_hand(
    title: str, by_hand: Sequence[float], component: Sequence[float], unit: str, at_most: float | None = None
) -> Row:
    """What the two programs take, measured in turn; `at_most` is how many times as much the component may.

    Medians, also of the ratio, see `ratio_of`.
    """
    ratio = ratio_of(component, by_hand)
    bound = f", at most {at_most:.2f}" if at_most else ""
    text = f"{statistics.median(component):.2f} {unit} ({ratio:.2f} of by hand{bound})"
    holds = at_most is None or ratio <= at_most
    return Row(title, {BY_HAND: Cell(f"{statistics.median(by_hand):.2f} {unit}"), COMPONENT: Cell(text, holds=holds)})


def ratio_of(some: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios over each two turns that follow one another.

    A machine that slows down for a while slows down both, and what the first in a turn pays, each pays in one of two.
    """
    starts = range(max(1, len(some) - 1))
    return statistics.median(sum(some[at : at + 2]) / sum(others[at : at + 2]) for at in starts)


def failure(error: Exception) -> Cell:
    """The cell of a subject that could not be measured to the end."""
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    return Cell(f"failed: {first_line[:120]}", holds=False)


def counted(count: int, what: str) -> str:
    """`1 restart`, `2 restarts`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
