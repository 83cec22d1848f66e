"""What a person reads: tables and findings. Colour only where the terminal shows it."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TextIO

from .findings import Finding, Gap, Severity, sorted_findings

COLOURS = {"error": "31;1", "warning": "33;1", "note": "36", "dim": "2", "bold": "1", "good": "32"}
"""ANSI codes by what they are for."""
WIDEST = 100
MOST_OBJECTS = 6
"""Objects with the same defect that are shown one by one."""
MOST_ADVICE = 3
"""Objects whose own advice is shown, where it differs by a name."""
ERASE_SCREEN = "\x1b[H\x1b[2J"


@dataclass(frozen=True)
class Style:
    """How text is made for one stream."""

    colour: bool = False
    width: int = WIDEST

    @staticmethod
    def of(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Style:
        """Colour on a terminal that has it, unless NO_COLOR is set (no-color.org)."""
        terminal = stream.isatty() and environment.get("TERM") != "dumb"
        width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST) if terminal else WIDEST
        return Style(terminal and not environment.get("NO_COLOR"), width)

    def paint(self, text: str, use: str) -> str:
        """The text in the colour for that use."""
        return f"\x1b[{COLOURS[use]}m{text}\x1b[0m" if self.colour and text else text


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], style: Style, mood: Callable[[str], str] = lambda _: ""
) -> list[str]:
    """Columns as wide as what is in them. `mood` says by what colour a cell is painted, if by any."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        painted = [style.paint(cell, mood(cell)) if mood(cell) else cell for cell in cells]
        spaces = [" " * (width - len(cell)) for cell, width in zip(cells, widths, strict=True)]
        return "  " + "  ".join(cell + space for cell, space in zip(painted, spaces, strict=True)).rstrip()

    return [style.paint(line(head), "dim"), *map(line, rows)]


def findings_text(findings: Iterable[Finding], style: Style) -> list[str]:
    """All findings, the worst first; one explanation for all objects with the same defect and the same advice."""
    lines: list[str] = []
    for _, same in groupby(sorted_findings(findings), key=lambda f: (f.severity, f.name)):
        group = list(same)
        first = group[0]
        lines += [f"{style.paint(first.severity.upper(), first.severity)} {style.paint(first.name, 'bold')}"]
        for finding in group[:MOST_OBJECTS]:
            lines += wrapped(f"{finding.object}: {finding.what}", style, indent=2)
        if len(group) > MOST_OBJECTS:
            lines += wrapped(f"and {len(group) - MOST_OBJECTS} more (--json lists all)", style, indent=2)
        lines += labelled("why", first.why, style)
        advice = list(dict.fromkeys(finding.do for finding in group))
        more = ["Likewise for the others."] if len(advice) > MOST_ADVICE else []
        for text in (*advice[:MOST_ADVICE], *more):
            lines += labelled("do", text, style)
        lines += [*labelled("see", first.source, style), ""]
    return lines


def gaps_text(gaps: Sequence[Gap], style: Style) -> list[str]:
    """What was not looked at."""
    lines = [style.paint("Not looked at", "bold")] if gaps else []
    for gap in gaps:
        lines += wrapped(f"{gap.what}: {gap.why}; {gap.do}", style, indent=2)
    return [*lines, ""] if gaps else []


def summary(findings: Sequence[Finding], style: Style, seen_by: str | None) -> str:
    """How many of each kind, and whose view of the tailnet that is: `seen_by`, if anybody's."""
    counts = [(sum(f.severity is severity for f in findings), severity) for severity in Severity]
    words = [style.paint(f"{n} {severity}{'s' if n > 1 else ''}", severity) for n, severity in counts if n]
    found = f"{', '.join(words)}." if words else style.paint("Nothing found.", "good")
    return f"{found} The tailnet as {seen_by} sees it." if seen_by else found


def labelled(label: str, text: str, style: Style) -> list[str]:
    """A paragraph with its label in front."""
    lines = textwrap.wrap(text, style.width - 8, break_long_words=False, break_on_hyphens=False)
    first = f"  {style.paint(label.ljust(4), 'dim')}  "
    return [(first if index == 0 else " " * 8) + line for index, line in enumerate(lines)]


def wrapped(text: str, style: Style, *, indent: int) -> list[str]:
    """A paragraph."""
    space = " " * indent
    return textwrap.wrap(
        text,
        style.width,
        initial_indent=space,
        subsequent_indent=space + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
