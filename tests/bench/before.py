"""The pod beside that of the build before: how soon it starts, one and many."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

from tailscale_sidecar import ClusterDns, InPodSplitDns, SecretState, SplitDns
from tailscale_sidecar.choices.dns import Dns
from tests.lab.shell import step
from tests.support.build_before import BuildBefore, checked_out
from tests.support.deployment import Deployment
from tests.support.subjects import Bench, Subject

from .starts import start_again_and_again
from .table import Cell, Row, Rows, ratio_of

RUNS = 9
"""Deployments of each, in turn."""
ROLLED, ROLLS = 10, 3
"""Replicas of a roll-out, each of which is a start; and roll-outs of each, in turn."""
MODES: dict[str, tuple[Dns, float]] = {
    "InPodSplitDns": (InPodSplitDns(), 0.75),
    "SplitDns": (SplitDns(), 0.65),
    "ClusterDns": (ClusterDns(), 0.65),
}
"""Each DNS mode, and how many times as long as before a start may take."""
ROLL_AT_MOST, ORDERED_AT_MOST = 0.60, 0.70
EARLIER = "before "


def before(bench: Bench) -> Rows:
    """Each mode beside itself as it was."""
    with checked_out():
        yield from starts(bench)
        yield from roll_outs(bench)


def starts(bench: Bench) -> Rows:
    """First starts and later ones, until the app has looked up a name of each kind."""
    subjects = tuple(
        Subject(prefix + label, kind, dns)
        for label, (dns, _) in MODES.items()
        for prefix, kind in ((EARLIER, BuildBefore), ("", Deployment))
    )
    seen: dict[str, list[list[float]]] = {subject.label: [] for subject in subjects}
    failed: dict[str, Cell] = {}
    for number in range(1, RUNS + 1):
        state = SecretState(max_replicas=1)
        with step(f"starts {number} of {RUNS}"), bench.apps(subjects, replicas=0, state=state) as apps:
            for label, found in apps.each(partial(start_again_and_again, later=1), in_turn=True).items():
                seen[label].append([start.app_ready for start in found])
            failed |= apps.failed
    for index, title in enumerate(("first start", "later start")):
        yield Row(
            f"{title}: the app is ready",
            {
                label: beside([run[index] for run in seen[label]], [run[index] for run in seen[EARLIER + label]], most)
                for label, (_, most) in MODES.items()
                if len(seen[label]) == len(seen[EARLIER + label]) > 0
            }
            | failed,
        )


def beside(now: Sequence[float], before: Sequence[float], at_most: float) -> Cell:
    """Seconds: medians of both, and of the ratio of each two turns."""
    ratio = ratio_of(now, before)
    seconds = f"{statistics.median(now):.1f} s, before {statistics.median(before):.1f} s"
    text = f"{seconds} ({ratio:.2f}, at most {at_most:.2f})"
    return Cell(text, holds=ratio <= at_most)


def roll_outs(bench: Bench) -> Rows:
    """A StatefulSet whose replicas come one after the other, at first and when all are replaced; by default `InPodSplitDns`."""
    seconds: dict[str, list[tuple[float, float]]] = {EARLIER: [], "": []}
    for number in range(1, ROLLS + 1):
        for label, kind in ((EARLIER, BuildBefore), ("", Deployment)):
            with step(f"roll-outs {label}{number} of {ROLLS}"), bench.apps((Subject("InPodSplitDns", kind),)) as apps:
                (app,) = apps.apps.values()
                app.arguments["replicas"] = ROLLED
                seconds[label].append((timed(app.apply), timed(partial(roll, app))))
    titles = (f"{ROLLED} replicas with OrderedReady", f"rolling restart of {ROLLED} replicas")
    for index, (title, at_most) in enumerate(zip(titles, (ORDERED_AT_MOST, ROLL_AT_MOST), strict=True)):
        now, earlier = ([run[index] for run in seconds[label]] for label in ("", EARLIER))
        yield Row(title, {"InPodSplitDns": beside(now, earlier, at_most)})


def roll(app: Deployment) -> None:
    """Replaces every replica."""
    app.workspace.kubectl("rollout", "restart", f"statefulset/{app.name}")
    app.await_ready(300)


def timed(what: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    what()
    return time.monotonic() - began
