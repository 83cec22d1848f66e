"""The objects of many components without an engine: `render`, beside `helm template` of a chart with the same objects."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.lab import LabError, binaries, cgroups
from tests.lab.shell import step
from tests.support.subjects import Bench

from .program import MANY, PROGRAMS, SECRET
from .table import BY_HAND, COMPONENT, Cell, Row, Rows, beside_by_hand

RUNS = 3
HELM = "helm"
NAME, ANY_NAME = "app-0", "app-{{ . }}"
"""The first component's name, and that of any one in the chart."""


def rendering(bench: Bench) -> Rows:
    """Medians."""
    with TemporaryDirectory() as folder, step("render"):
        chart = chart_of(printed(bench, render(COMPONENT, 1)), Path(folder))
        helm = (str(binaries.ensure(binaries.HELM) / "helm"), "template", "bench", str(chart))
        if objects(printed(bench, helm)) != objects(printed(bench, render(COMPONENT, MANY))):
            raise LabError("the chart's objects are not those of the program")
        commands = (render(BY_HAND, MANY), render(COMPONENT, MANY), helm)
        turns = [[cpu(bench, command) for command in commands] for _ in range(RUNS)]
    by_hand, component, chart_seconds = zip(*turns, strict=True)
    row = beside_by_hand(f"CPU of `render`, {MANY} components", by_hand, component, "s")
    yield Row(row.title, {**row.cells, HELM: Cell(f"{statistics.median(chart_seconds):.2f} s")})


def render(program: str, components: int) -> tuple[str, ...]:
    """The command that renders a program of so many."""
    config = (f"--config={word}" for word in (f"components={components}", f"clientSecret={SECRET}"))
    return (sys.executable, "-m", "tailscale_sidecar", "render", "--show-secrets", str(PROGRAMS[program]), *config)


def chart_of(objects_of_one: str, folder: Path) -> Path:
    """A chart whose one template has the objects of a component, for each number up to MANY."""
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: bench\nversion: 1.0.0\n", encoding="utf-8")
    each = objects_of_one.replace(NAME, ANY_NAME)
    template = f"{{{{- range until {MANY} }}}}\n---\n{each}\n{{{{- end }}}}\n"
    (folder / "templates/components.yaml").write_text(template, encoding="utf-8")
    return folder


def objects(text: str) -> list[str]:
    """What was printed, in an order that both have."""
    return sorted(yaml.dump(found) for found in yaml.load_all(text, yaml.CSafeLoader) if found)


def printed(bench: Bench, command: Sequence[str]) -> str:
    """What a command prints."""
    return subprocess.run(
        command, env=bench.lab.environment(), check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout


def cpu(bench: Bench, command: Sequence[str]) -> float:
    """Seconds of CPU that a command takes."""
    seconds, _ = cgroups.cpu_of(lambda: printed(bench, command))
    return seconds
