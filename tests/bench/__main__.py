"""Measures the component beside the guide's manifest, and writes docs/benchmarks.md: `make bench`."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from tests.lab.shell import say

from .api_server import api_server
from .audit import audit
from .doctor import commands
from .faults import FAULTS
from .imports import imports
from .program import each_replica, many_components, many_replicas, one_component, rendering
from .registration import registration
from .report import report
from .resolvers import resolvers
from .starts import starts
from .subjects import Bench
from .table import COMPONENT, GUIDE, Row, Rows, failure
from .use import use

REPORT = Path(__file__).parents[2] / "docs/benchmarks.md"
Part = Callable[[Bench], Rows]
SECTIONS: dict[str, tuple[Part, ...]] = {
    "Starts": (starts,),
    "Cost": (use, resolvers),
    "Program": (imports, one_component, many_components, many_replicas, each_replica, rendering),
    "Commands": (commands,),
    "Many replicas": (api_server, audit, registration),
    "Faults": FAULTS,
}
NAMES = [part.__name__ for parts in SECTIONS.values() for part in parts]


def main(arguments: list[str]) -> int:
    """Runs all parts or those that are named; the status is 1 where the component missed something."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(NAMES)}")
    chosen = parser.parse_args(arguments).parts or NAMES
    if unknown := set(chosen) - set(NAMES):
        parser.error(f"no part is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    warnings.filterwarnings("ignore", message="shields_up")
    began, bench = time.monotonic(), Bench.start()
    sections = {
        title: [row for part in parts if part.__name__ in chosen for row in measured(part, bench)]
        for title, parts in SECTIONS.items()
    }
    text = report({title: rows for title, rows in sections.items() if rows}, time.monotonic() - began)
    print(text)
    if chosen == NAMES:
        REPORT.write_text(text, encoding="utf-8")
    missed = [line for rows in sections.values() for row in rows for line in row.missed()]
    for line in missed:
        say(f"! {line}")
    return 1 if missed else 0


def measured(part: Part, bench: Bench) -> Rows:
    """The rows of a part, each said at once; one that breaks ends with a row that says so."""
    try:
        bench.settle()
        for row in part(bench):
            for label, cell in row.cells.items():
                say(f"  {label}: {cell.text}")
            yield row
    except Exception as error:  # noqa: BLE001 - whatever a part fails of, the others are measured
        yield Row(part.__name__.replace("_", " "), {GUIDE: failure(error), COMPONENT: failure(error)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
