"""What `pulumi preview` and `pulumi up` cost with the sidecar in workloads of others (programs/injected)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.support.program import PROJECT
from tests.support.subjects import Bench

from .program import AT_ONCE, Deployed, deployment_of, in_turn, stack_of
from .table import BY_HAND, COMPONENT, Rows, beside_by_hand

FOLDER = Path(__file__).parent / "programs" / "injected"
WORKLOADS, RUNS = 30, 3
AT_MOST = 1.10


def injected(bench: Bench) -> Rows:
    """New stacks with and without, in turn."""
    for settings, commands, how in (
        ({}, ("preview", "up"), ""),
        (AT_ONCE, ("up",), ", the state written at its end only"),
    ):
        seen = in_turn(
            f"{WORKLOADS} injected{how}", RUNS, (BY_HAND, COMPONENT), partial(deployed, bench, settings=settings)
        )
        for command in commands:
            by_hand, component = ([getattr(run, command) for run in seen[name]] for name in (BY_HAND, COMPONENT))
            yield beside_by_hand(f"CPU of `{command}`, {WORKLOADS} workloads{how}", by_hand, component, "s", AT_MOST)


def deployed(bench: Bench, name: str, settings: Mapping[str, str]) -> Deployed:
    """Deploys the program for the first time."""
    config = {"workloads": WORKLOADS, "byHand": str(name == BY_HAND).lower()}
    text = PROJECT.format(virtualenv=sys.prefix)
    with stack_of(bench, FOLDER, text, bench.lab.environment(), **config) as stack:
        return deployment_of(stack, settings)
