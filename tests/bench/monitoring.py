"""What `monitoring` costs a replica, and what a Prometheus gets of many."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tailscale_sidecar import Monitoring
from tests.lab import cgroups
from tests.lab.shell import step
from tests.support.deployment import Deployment, Workspace
from tests.support.scraping import SAMPLE, exposition
from tests.support.sidecar import Sidecar, comm
from tests.support.subjects import Bench

from .table import Cell, Row, Rows

SCRAPES, IDLE_SECONDS, INTERVAL = 20, 20, 60
"""Scrapes that are measured; seconds without one; seconds between two, as the operator's Prometheus leaves by default."""
MOST_MEMORY, MOST_CPU = 2.0, 1.0
"""MiB between scrapes, and thousandths of a core, of a replica."""
REPLICAS = 1000
WITH = "with monitoring"
PROGRAMS = ("containerboot", "tailscaled")
"""What a sidecar runs, but for shells."""


def monitoring(bench: Bench) -> Rows:
    """One replica that has it, beside one that has not."""
    with Workspace.temporary(bench.lab, bench.tailnet) as workspace, step("monitoring"):
        without = held_idle(Sidecar(workspace.deploy("alone")).container_id())
        app = workspace.deploy("monitored", monitoring=Monitoring())
        container = Sidecar(app).container_id()
        between, text = held_idle(container) - without, exposition(app)
        with watched(container) as seen:
            cpu = of_a_scrape(app, container)
        during = max(seen) - without
    told = f"{between:.1f} MiB, at most {MOST_MEMORY:.0f}; {during:.1f} MiB during one"
    yield Row("memory between scrapes", {WITH: Cell(told, holds=between <= MOST_MEMORY)})
    cores = 1000 * cpu / INTERVAL
    told = f"{1000 * cpu:.0f} ms, which is {cores:.2f} mCPU with one each {INTERVAL} s, at most {MOST_CPU:.0f}"
    yield Row("CPU of a scrape", {WITH: Cell(told, holds=cores <= MOST_CPU)})
    samples, own = (
        len(found) for found in (SAMPLE.findall(text), re.findall("^tailscale_sidecar_", text, re.MULTILINE))
    )
    told = f"{samples * REPLICAS:,} samples, {own * REPLICAS:,} of them the sidecar's own; {len(text) * REPLICAS / 2**20:.1f} MiB"
    yield Row(f"a scrape of {REPLICAS:,} replicas", {WITH: Cell(told)})


def held(container: str) -> float:
    """MiB of what a sidecar runs beside its two programs; what several processes share is divided among them (Pss)."""
    kib = 0
    for pid in cgroups.processes_of(container):
        with suppress(OSError):  # it has ended
            if comm(pid) not in PROGRAMS:
                kib += int(re.findall(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[0])
    return kib / 1024


def held_idle(container: str) -> float:
    """The least that it holds for a while: what a start has left ends."""
    found = []
    for _ in range(IDLE_SECONDS):
        found.append(held(container))
        time.sleep(1)  # between samples
    return min(found)


@contextmanager
def watched(container: str) -> Iterator[list[float]]:
    """What it holds, again and again for as long as the block lasts."""
    over, seen = threading.Event(), [held(container)]

    def watch() -> None:
        while not over.wait(0.01):
            seen.append(held(container))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch)
        try:
            yield seen
        finally:
            over.set()


def of_a_scrape(app: Deployment, container: str) -> float:
    """Seconds of CPU that the sidecar uses for one."""
    before = cgroups.cpu_seconds(container)
    time.sleep(IDLE_SECONDS)
    idle = (cgroups.cpu_seconds(container) - before) / IDLE_SECONDS
    began, before = time.monotonic(), cgroups.cpu_seconds(container)
    for _ in range(SCRAPES):
        exposition(app)
        time.sleep(0.5)  # till what answered has ended
    return (cgroups.cpu_seconds(container) - before - idle * (time.monotonic() - began)) / SCRAPES
