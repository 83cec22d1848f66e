"""What a node has less of for each replica that runs on it: of its memory, idle."""

from __future__ import annotations

import re
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tailscale_sidecar import ClusterDns, InPodSplitDns, SplitDns
from tests.lab import cgroups
from tests.lab.shell import step
from tests.support.build_before import BuildBefore, checked_out
from tests.support.deployment import Deployment
from tests.support.subjects import MANIFEST, Bench, Subject, await_up

from .table import GUIDE, Cell, Row, Rows

REPLICAS = (1, 10, 50)
SETTLING_SECONDS = 150
"""Go collects its garbage every two minutes at the latest: what a start has left is gone then."""
SAMPLES = 10
SUBJECTS = (
    MANIFEST,
    Subject("before", BuildBefore, InPodSplitDns()),
    Subject("InPodSplitDns", dns=InPodSplitDns()),
    Subject("SplitDns", dns=SplitDns()),
    Subject("ClusterDns", dns=ClusterDns()),
)
AT_MOST = {"InPodSplitDns": ("before", 0.80), "SplitDns": (GUIDE, 1.00), "ClusterDns": (GUIDE, 1.00)}
"""What a subject is beside, and how many times as much it may take."""
MIB = 2**20


class Memory(NamedTuple):
    """MiB."""

    pods: float
    """Of the pods' control group: what their processes and the kernel for them hold that is no file of a disk. A program's
    text is such a file, and all replicas of a node share it."""
    node: float
    """That the node has less of for others (MemAvailable); of everything that runs there."""


def node(bench: Bench) -> Rows:
    """One subject after the other, each with 1, then 10, then 50 replicas on one node."""
    found: dict[str, list[Memory]] = {}
    failed: dict[str, Cell] = {}
    with checked_out():
        for subject in SUBJECTS:
            bench.settle()
            with bench.apps((subject,)) as apps:  # one after the other: forty starts at once take minutes on two cores
                cells = apps.each(lambda app: [taken(app, replicas) for replicas in REPLICAS])
                found |= cells
                failed |= apps.failed
    for index, (few, many) in enumerate(pairwise(REPLICAS)):
        each = {label: one_more(seen[index], seen[index + 1], many - few) for label, seen in found.items()}
        bound = many == REPLICAS[-1]
        yield Row(
            f"memory of one more replica, from {few} to {many}: its pod, the node",
            {label: cell(label, each, bound=bound) for label in each} | failed,
        )


def cell(label: str, each: dict[str, Memory], *, bound: bool) -> Cell:
    """Both figures, and what the pod's are beside."""
    mine = each[label]
    text = f"{mine.pods:.1f} MiB, {mine.node:.1f} MiB"
    other, at_most = AT_MOST.get(label, ("", 0.0))
    if not bound or other not in each:
        return Cell(text)
    ratio = mine.pods / each[other].pods
    of = "the guide's" if other == GUIDE else other
    return Cell(f"{text} ({ratio:.2f} of {of}, at most {at_most:.2f})", holds=ratio <= at_most)


def one_more(few: Memory, many: Memory, replicas: int) -> Memory:
    """What each of so many more took."""
    return Memory(*((after - before) / replicas for before, after in zip(few, many, strict=True)))


def taken(app: Deployment, replicas: int) -> Memory:
    """What is in use when so many have settled."""
    with step(f"{app.name}: {replicas} replicas"):
        app.change(wait=False, replicas=replicas)
        await_up(app)
        time.sleep(SETTLING_SECONDS)  # what a start costs is not meant
        samples = []
        for _ in range(SAMPLES):
            samples.append(Memory(cgroups.memory_used(cgroups.pods("memory")) / MIB, available()))
            time.sleep(1)  # between samples
    return Memory(*(statistics.median(values) for values in zip(*samples, strict=True)))


def available() -> float:
    """MiB that the node does not have for others; negative, so that more in use is more."""
    (kib,) = re.findall(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return -int(kib) / 1024
