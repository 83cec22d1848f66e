"""Measures the component beside the guide's manifest, and writes docs/benchmarks.md: `make bench`."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests import sdks
from tests.lab.shell import LabError, say
from tests.support.languages import on_the_lab
from tests.support.subjects import Bench

from .api_server import api_server
from .audit import audit
from .before import before
from .command_start import command_start
from .doctor import commands
from .faults import FAULTS
from .imports import imports
from .injected import injected
from .monitoring import monitoring
from .node import node
from .program import each_replica, many_components, many_replicas, one_component
from .registration import registration
from .rendering import rendering
from .report import report, section, sections_of
from .resolvers import resolvers
from .starts import starts
from .table import COMPONENT, GUIDE, Row, Rows, failure
from .typescript import typescript
from .use import use

REPORT = Path(__file__).parents[2] / "docs/benchmarks.md"
Part = Callable[[Bench], Rows]
SECTIONS: dict[str, tuple[Part, ...]] = {
    "Starts": (starts,),
    "The build before": (before,),
    "Cost": (use, resolvers),
    "Node": (node,),
    "Monitoring": (monitoring,),
    "Program": (imports, one_component, many_components, many_replicas, each_replica, rendering),
    "Workloads of others": (injected,),
    "Other languages": (typescript,),
    "Commands": (commands, command_start),
    "Many replicas": (api_server, audit, registration),
    "Faults": FAULTS,
}


def main(arguments: list[str]) -> int:
    """Runs all parts or those that are named; the status is 1 where the component missed something."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [*SECTIONS, *(part.__name__ for parts in SECTIONS.values() for part in parts)]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(names)}")
    chosen = parser.parse_args(arguments).parts or list(SECTIONS)
    if unknown := set(chosen) - set(names):
        parser.error(f"no part is named {', '.join(unknown)}; there are {', '.join(names)}")
    warnings.filterwarnings("ignore", message="shields_up")
    if {"Other languages", typescript.__name__} & set(chosen):
        with suppress(LabError):  # the part says so
            sdks.node(on_the_lab)  # from the lab's network nothing can be downloaded
    bench, missed = Bench.start(), []
    for title, parts in SECTIONS.items():
        if wanted := [part for part in parts if title in chosen or part.__name__ in chosen]:
            began = time.monotonic()
            rows = [row for part in wanted for row in measured(part, bench)]
            missed += [line for row in rows for line in row.missed()]
            text = section(title, rows, time.monotonic() - began)
            print(text)
            if len(wanted) == len(parts):
                record(title, text)
    for line in missed:
        say(f"! {line}")
    return 1 if missed else 0


def record(title: str, text: str) -> None:
    """Replaces a section of the report: what a run of hours has found so far is not lost when it ends early."""
    earlier = sections_of(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
    REPORT.write_text(report({**earlier, title: text}), encoding="utf-8")


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
