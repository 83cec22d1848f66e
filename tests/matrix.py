"""Runs what matters on several releases of Kubernetes and Tailscale, and of Python, and writes docs/versions.md: `make matrix`.

A cell is KUBERNETES/TAILSCALE, such as 1.35.4/1.104.5, or python/VERSION, such as python/3.13; 1.35.4 alone is all cells of
that row. Of cells that are not run the page keeps what it says.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.settings import CACHE, NEWEST_KUBERNETES, NEWEST_TAILSCALE
from tests.lab.shell import LabError, run, say, step

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/versions.md"
LOG = CACHE / "matrix.log"
KUBERNETES = ("1.29.15", "1.34.4", "1.35.4", "1.36.3", NEWEST_KUBERNETES)
TAILSCALE = ("1.94.2", "1.98.10", "1.102.5", NEWEST_TAILSCALE)
"""Of both the floor, some between, and the newest."""
PYTHON = ("3.11", "3.12", "3.13", "3.14")
CELLS = (
    *(f"{kubernetes}/{tailscale}" for kubernetes in KUBERNETES for tailscale in TAILSCALE),
    *(f"python/{version}" for version in PYTHON),
)
ROWS = (*KUBERNETES, "python")
ON_LAB = (
    ("-m", "matrix and not timed", "-n", "6", "tests/cluster", "tests/faults", "--ignore=tests/faults/node"),
    ("-m", "matrix and timed", "-n", "3", "tests/faults", "--ignore=tests/faults/node"),
    ("-m", "matrix", "tests/faults/node"),
)
"""What pytest is given: the tests that ask for a time have few neighbours, those that restart the node none."""
WITHOUT_LAB = ("tests/component", *(f"tests/unit/test_{name}.py" for name in ("golden", "pod_template", "refusals")))
NOT_RUN = "not run"
FAILED = "**✗**"
BROKEN = re.compile(r"^(?:FAILED|ERROR) .*::(\S+)", re.MULTILINE)
SKIPPED = re.compile(r"^SKIPPED .*?: (.*)", re.MULTILINE)
COUNTED = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
TOOK = re.compile(r" in ([\d.]+)s")

HEAD = f"""\
# Versions

`make matrix` wrote this, and what stands here is what it ran: the tests that are marked `matrix`, on a real cluster of that
Kubernetes with that Tailscale. Replicas register, look up names, are killed and replaced, and settings are changed. All
other tests run on Kubernetes {NEWEST_KUBERNETES} and Tailscale {NEWEST_TAILSCALE}, with every change.
`make matrix CELLS="1.35.4/1.104.5 python"` runs some cells anew: here one, and a whole row.

**Tailscale 1.98** says late that it is up: its containerboot looks for its own addresses every 15 s only, after a crash or a new
pod too, and the sidecar's probes wait for that. The releases before and after look at once. Tests with a time limit add that.

"""
WITH_PYTHON = """
Without a cluster, with the newest packages that pyproject.toml allows on that day; `make floors` tests with the lowest.

"""


def main(arguments: list[str]) -> int:
    """Runs all cells or those that are named; the status is 1 where a test failed or a cell could not be run."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("cells", nargs="*", metavar="CELL", help=f"any of {', '.join(CELLS)}")
    words = parser.parse_args(arguments).cells
    if unknown := set(words) - {*CELLS, *ROWS}:
        parser.error(f"no cell is named {', '.join(unknown)}; there are {', '.join((*ROWS, *CELLS))}")
    chosen = [cell for cell in CELLS if not words or cell in words or cell.partition("/")[0] in words]
    outcomes = [outcome(cell) for cell in chosen]
    return int(any(found.startswith((FAILED, NOT_RUN)) for found in outcomes))


def outcome(cell: str) -> str:
    """Runs a cell and writes what came of it: what a run of hours has found so far is not lost when it ends early."""
    one, other = cell.split("/")
    with step(cell):
        found = in_python(other) if one == "python" else on_lab(one, other)
    say(f"  {found}")
    cells = read(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    PAGE.write_text(page({**cells, cell: found}), encoding="utf-8")
    return found


def on_lab(kubernetes: str, tailscale: str) -> str:
    """Boots a lab of these releases, and runs the tests that are marked."""
    environment = {
        "TAILSCALE_SIDECAR_LAB_NAME": "tailscale-sidecar-matrix",
        **os.environ,
        "TAILSCALE_SIDECAR_LAB_KUBERNETES": kubernetes,
        "TAILSCALE_SIDECAR_LAB_TAILSCALE": tailscale,
    }
    lab = [sys.executable, "-m", "tests.lab"]
    run([*lab, "down"], cwd=ROOT, env=environment)  # one that was left may be of other releases
    try:
        boot([*lab, "up"], environment)
        printed = [pytest(sys.executable, given, environment) for given in ON_LAB]
    except LabError as error:
        return f"{NOT_RUN}: {last_line(error)}"
    finally:
        run([*lab, "down"], cwd=ROOT, env=environment)
    return summary(printed)


def boot(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Starts the lab, and passes on what it says meanwhile: the first time, all is built."""
    last = ""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as booting:
        for last in booting.stderr or ():
            say(f"  {last.rstrip()}")
    if booting.returncode != 0:
        raise LabError(last)


def in_python(version: str) -> str:
    """Installs the newest packages for that Python, and runs the tests that need no lab."""
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/bin/python"
        try:
            run([uv, "venv", "--quiet", "--clear", "--python", version, folder])
        except LabError:
            return f"{NOT_RUN}: this machine has no Python {version}, and uv could not bring it, {today()}"
        try:
            run([uv, "pip", "install", "--quiet", "--python", python, "--editable", ".[dev]"], cwd=ROOT)
        except LabError as error:
            return f"{FAILED} {last_line(error)}"
        return summary([pytest(python, ("-m", "not soak", "-n", "2", *WITHOUT_LAB), os.environ)])


def pytest(python: str, given: Sequence[str], environment: Mapping[str, str]) -> str:
    """Runs tests; returns what is printed, which a log keeps."""
    words = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *given]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"{' '.join(words)}\n{done.stdout}{done.stderr}\n")
    return done.stdout


def summary(printed: Sequence[str]) -> str:
    """How many tests passed and failed, in which time and on which day; which failed, and why some were skipped."""
    last_lines = [text.rstrip().rpartition("\n")[2] for text in printed]
    counts: Counter[str] = Counter()
    for line in last_lines:
        counts.update({kind: int(count) for count, kind in COUNTED.findall(line)})
    seconds = sum(float(found) for line in last_lines for found in TOOK.findall(line))
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing ran"
    reasons = sorted({found for text in printed for kind in (BROKEN, SKIPPED) for found in kind.findall(text)})
    failed = f"{FAILED} " if counts.keys() - {"passed", "skipped"} or not counts["passed"] else ""
    return f"{failed}{words} in {seconds:.0f} s, {today()}{''.join(f'; {reason}' for reason in reasons)}"


def last_line(error: LabError) -> str:
    """The end of what a command said, and the day."""
    return f"{str(error).splitlines()[-1].strip()}, {today()}"


def today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def page(cells: Mapping[str, str]) -> str:
    """The whole of docs/versions.md."""
    lab = [("", *(f"Tailscale {tailscale}" for tailscale in TAILSCALE))]
    lab += [
        (f"Kubernetes {kubernetes}", *(cells.get(f"{kubernetes}/{tailscale}", NOT_RUN) for tailscale in TAILSCALE))
        for kubernetes in KUBERNETES
    ]
    without = [("", "outcome"), *((f"Python {version}", cells.get(f"python/{version}", NOT_RUN)) for version in PYTHON)]
    return HEAD + table(lab) + WITH_PYTHON + table(without)


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is its head."""
    head, *others = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *others))


def read(text: str) -> dict[str, str]:
    """What a page says of each cell that was run; releases that are no longer tried are left out."""
    cells: dict[str, str] = {}
    columns: list[str] = []
    for line in text.splitlines():
        first, *others = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|  |"):
            columns = [cell.rpartition(" ")[2] for cell in others]
        elif line.startswith("| Kubernetes"):
            cells |= {
                f"{first.rpartition(' ')[2]}/{column}": cell for column, cell in zip(columns, others, strict=True)
            }
        elif line.startswith("| Python"):
            cells[f"python/{first.rpartition(' ')[2]}"] = others[0]
    return {cell: found for cell, found in cells.items() if cell in CELLS and found != NOT_RUN}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
