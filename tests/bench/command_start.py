"""What the command takes before it does anything, beside an earlier build of it."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab import cgroups
from tests.lab.settings import FAMILIES
from tests.lab.shell import step
from tests.support.build_before import BEFORE, ROOT, checked_out
from tests.support.subjects import Bench, Subject

from .table import COMPONENT, Cell, Row, Rows, ratio_of

RUNS = 9
HELP_AT_MOST, DOCTOR_AT_MOST = 0.15, 0.6
"""How many times as much as before."""


def command_start(bench: Bench) -> Rows:
    """Medians of new processes of each build, in turn."""
    with checked_out() as before, bench.deployed((Subject(COMPONENT),), replicas=1) as apps:
        (app,) = apps.apps.values()
        cidrs = [word for family in FAMILIES for word in ("--cluster-cidr", family.pods)]
        asked = {
            "CPU of `--help`": (["--help"], HELP_AT_MOST),
            "CPU of `doctor` on one healthy StatefulSet": (
                ["doctor", f"{app.workspace.namespace}/{app.name}", *cidrs],
                DOCTOR_AT_MOST,
            ),
        }
        for title, (arguments, at_most) in asked.items():
            with step(title):
                builds = (before, ROOT)
                for build in builds:
                    cpu(build, arguments, bench.lab.environment())  # compiles
                turns = [[cpu(build, arguments, bench.lab.environment()) for build in builds] for _ in range(RUNS)]
            yield beside_before(title, *zip(*turns, strict=True), at_most=at_most)


def beside_before(title: str, before: Sequence[float], now: Sequence[float], *, at_most: float) -> Row:
    """What the builds take."""
    ratio = ratio_of(now, before)
    text = f"{statistics.median(now):.2f} s ({ratio:.2f} of before, at most {at_most:.2f})"
    earlier = Cell(f"{statistics.median(before):.2f} s")
    return Row(title, {f"build {BEFORE}": earlier, COMPONENT: Cell(text, holds=ratio <= at_most)})


def cpu(build: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds of CPU of the command in a new process, which succeeds. Python looks in its folder first."""
    command = [sys.executable, "-m", "tailscale_sidecar", *arguments]
    seconds, _ = cgroups.cpu_of(
        lambda: subprocess.run(command, cwd=build, env=environment, check=True, stdout=subprocess.DEVNULL)
    )
    return seconds
