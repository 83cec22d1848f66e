"""How long a replica takes from its scheduling until the app can work, and what it asks the API for."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tailscale_sidecar import ClusterDns, InPodSplitDns, SecretState
from tests.lab import LabError
from tests.lab.shell import step, wait_for
from tests.support.deployment import APP, Deployment
from tests.support.look_ups import TAILNET_NAME
from tests.support.subjects import EVERY_MODE, Bench, Subject

from .empty import Empty
from .faults.names import CLUSTER_NAME
from .table import GUIDE, Cell, Row, Rows

DEPLOYMENTS, LATER_STARTS = 3, 2
"""Deployments of each subject, and starts of each deployment's replica after its first."""
EMPTY = {"InPodSplitDns": "empty 2", "SplitDns": "empty 1", "ClusterDns": "empty 1"}
"""What a mode's pod is beside: as many containers before the app, with nothing to do."""
EMPTY_AT_MOST = 1.10
"""How many times as long an app may take to be ready."""
SUBJECTS = (
    *EVERY_MODE,
    Subject("empty 2", Empty, InPodSplitDns()),
    Subject("empty 1", Empty, ClusterDns()),
)
NOW = "cut -d ' ' -f 1 /proc/uptime"
"""Seconds since the machine started: a clock that is the same in every container."""


class Start(NamedTuple):
    """One start of a replica; seconds since its pod was scheduled."""

    app_runs: float
    """At the app's first instruction."""
    app_ready: float
    """When the app has looked up a name of each kind that its DNS mode serves."""
    api_calls: int


def starts(bench: Bench) -> Rows:
    """First starts, which register, and later ones, which find a state: subject by subject in turn."""
    first: dict[str, list[Start]] = {subject.label: [] for subject in SUBJECTS}
    later: dict[str, list[Start]] = {subject.label: [] for subject in SUBJECTS}
    failed: dict[str, Cell] = {}
    for number in range(1, DEPLOYMENTS + 1):
        state = SecretState(max_replicas=1)
        with step(f"starts {number} of {DEPLOYMENTS}"), bench.apps(SUBJECTS, replicas=0, state=state) as apps:
            for label, found in apps.each(start_again_and_again, in_turn=True).items():
                first[label].append(found[0])
                later[label] += found[1:]
            failed |= apps.failed
    yield from figures("first start", first, failed)
    yield from figures("later starts", later, failed)


def figures(kind: str, seen: dict[str, list[Start]], failed: dict[str, Cell]) -> Rows:
    """Rows of medians, the seconds beside the guide's and those of a pod that is empty."""

    def row(what: str, figure: Callable[[Start], float], cell: Callable[[str, dict[str, float]], Cell]) -> Row:
        medians = {label: statistics.median(map(figure, found)) for label, found in seen.items() if found}
        return Row(f"{kind}: {what}", {label: cell(label, medians) for label in medians} | failed)

    yield row("the app runs", lambda start: start.app_runs, seconds)
    yield row("the app is ready", lambda start: start.app_ready, partial(seconds, at_most=EMPTY_AT_MOST))
    yield row("requests for tokens and keys", lambda start: start.api_calls, lambda label, of: Cell(f"{of[label]:.0f}"))


def seconds(label: str, medians: Mapping[str, float], at_most: float | None = None) -> Cell:
    """A median, with what it is beside; `at_most` is the bound for how many times as long as the empty pod's it is."""
    mine, guide, empty = medians[label], medians.get(GUIDE), medians.get(EMPTY.get(label, ""))
    beside = [f"{mine / guide:.2f} of the guide's"] if guide and label in EMPTY else []
    if empty:
        beside.append(f"{mine / empty:.2f} of {EMPTY[label]}" + (f", at most {at_most:.2f}" if at_most else ""))
    text = f"{mine:.1f} s" + (f" ({'; '.join(beside)})" if beside else "")
    return Cell(text, holds=not (at_most and empty) or mine <= at_most * empty)


def start_again_and_again(app: Deployment, later: int = LATER_STARTS) -> list[Start]:
    """The first start of a deployment, and later ones."""
    only_cluster = isinstance(app, Empty) or isinstance(app.arguments["dns"], ClusterDns)
    names = CLUSTER_NAME if only_cluster else f"{CLUSTER_NAME} {TAILNET_NAME}"
    ready = f"until resolve-musl {names} >/dev/null 2>&1; do sleep 0.05; done"
    pod_name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    container = {**APP, "command": ["sh", "-c", f"{NOW}; {ready}; {NOW}; exec app"], "env": [pod_name]}
    app.arguments["pod_spec"] = {"containers": [container], "terminationGracePeriodSeconds": 5}
    app.apply()
    return [start_and_stop(app) for _ in range(1 + later)]


def start_and_stop(app: Deployment) -> Start:
    """Starts the replica, and ends it when its app is ready."""
    calls = len(app.credential_requests())
    scale(app, 1)
    wait_for("the pod to be scheduled", lambda: is_scheduled(app))
    scheduled = float(Path("/proc/uptime").read_text().split()[0])
    app.wait_for("the app to be ready", lambda: len(moments(app)) == 2, 120)
    runs, ready = moments(app)
    calls = len(app.credential_requests()) - calls
    scale(app, 0)
    app.workspace.kubectl("wait", f"pod/{app.pod()}", "--for=delete", "--timeout=60s")
    return Start(runs - scheduled, ready - scheduled, calls)


def scale(app: Deployment, replicas: int) -> None:
    """Sets the number of replicas."""
    app.workspace.kubectl("scale", f"statefulset/{app.name}", f"--replicas={replicas}")


def is_scheduled(app: Deployment) -> bool:
    """Whether there is a pod, and it has a node."""
    pod = app.workspace.find("Pod", app.pod())
    return pod is not None and "nodeName" in pod["spec"]


def moments(app: Deployment) -> list[float]:
    """What the app has written: when it ran, and when it was ready."""
    try:
        return [float(line) for line in app.logs(container="app").splitlines()]
    except LabError:
        return []  # it does not run yet
