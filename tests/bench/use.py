"""What the sidecar's containers use, idle and under load."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf
from operator import le
from pathlib import Path
from typing import NamedTuple

from tailscale_sidecar import ClusterDns
from tailscale_sidecar.pod.quantities import amount
from tests.lab import LabError, cgroups
from tests.lab.shell import step
from tests.support.deployment import APP, Deployment
from tests.support.look_ups import RESOLVERS
from tests.support.sidecar import Sidecar
from tests.support.subjects import EVERY_MODE, Bench

from .faults.names import CLUSTER_NAME
from .table import GUIDE, Cell, Row, Rows

SETTLING_SECONDS, IDLE_SECONDS, LOAD_SECONDS = 150, 30, 20
"""Go collects its garbage every two minutes at the latest: what a start has left is gone then."""
REQUESTS, ROUNDS = 10, 20
"""A second. A peer's requests over the tailnet, each for 1 MiB; rounds in which each of three resolvers in the app looks
up a cluster name and a tailnet name."""
POD = {
    "containers": [{**APP, "command": ["sh", "-c", "dd if=/dev/zero of=/www/blob bs=1M count=1; exec app"]}],
    "terminationGracePeriodSeconds": 5,
}
MORE_DEVICES = 1000
PAGE = os.sysconf("SC_PAGE_SIZE")
CONTAINERS = ("tailscale", "tailscale-dns")
NO_RESOLVER = ("SplitDns", "ClusterDns")
"""Subjects whose sidecar may use no more memory than the guide's, but for SPARE; the other has a container more."""
SPARE = 5
"""MiB while idle: the shell that notices a deleted device, and what tailscaled's heap keeps of the start's questions."""


class Use(NamedTuple):
    """What a container uses."""

    memory: float
    """MiB; the most that was seen."""
    cpu: float
    """Thousandths of a core, on average."""
    working_set: float
    """MiB, as the kubelet counts; the most that was seen."""
    requested: float
    """MiB that the container requests; 0 where it requests nothing."""


def use(bench: Bench) -> Rows:
    """All at once while idle, and in turn under the same load."""
    with bench.deployed(EVERY_MODE, pod_spec=POD) as apps:
        peer = apps.workspace.deploy("peer", dns=ClusterDns())
        with step("use while idle"):
            time.sleep(SETTLING_SECONDS)  # what a start costs is not meant
            idle = apps.each(partial(used, seconds=IDLE_SECONDS))
        with step("use under load"):
            loaded = apps.each(partial(used_under_load, peer=peer), in_turn=True)

    def row(
        title: str, unit: str, containers: Sequence[str], figure: Callable[[Use], float], bounded: Sequence[str] = ()
    ) -> Row:
        cells, guide = {}, [inf, inf]
        for label in loaded:  # the guide's first
            figures = [
                sum(figure(uses[name]) for name in containers if name in uses) for uses in (idle[label], loaded[label])
            ]
            if label == GUIDE:
                guide = figures
            if any(figures):
                at_most = (guide[0] + SPARE, guide[1])
                holds = label not in bounded or all(map(le, figures, at_most))
                cells[label] = Cell(f"{figures[0]:.0f} / {figures[1]:.0f} {unit}", holds)
        return Row(f"{title}, idle / under load", cells | apps.failed)

    for title, containers in (*((f"`{name}`", [name]) for name in CONTAINERS), ("both", CONTAINERS)):
        yield row(f"memory of {title}", "MiB", containers, lambda one: one.memory, bounded=NO_RESOLVER)
        yield row(f"CPU of {title}", "mCPU", containers, lambda one: one.cpu)
    for name in CONTAINERS:
        counted = {label: counted_cell(uses[name]) for label, uses in loaded.items() if name in uses}
        yield Row(f"what the kubelet counts of `{name}` under load, and its request", counted | apps.failed)
    with more_devices(bench, MORE_DEVICES), bench.deployed(EVERY_MODE) as apps:
        time.sleep(SETTLING_SECONDS)
        title = f"memory of `tailscale`, idle, on a tailnet of {MORE_DEVICES} more devices"
        yield apps.row(title, lambda app: Cell(f"{used(app, IDLE_SECONDS)['tailscale'].memory:.0f} MiB"))


def counted_cell(one: Use) -> Cell:
    """The kubelet's figure; a container that uses less than it requests is not the first to go."""
    text = (
        f"{one.working_set:.0f} MiB, {one.requested:.0f} MiB" if one.requested else f"{one.working_set:.0f} MiB, none"
    )
    return Cell(text, holds=one.working_set <= one.requested)


@contextlib.contextmanager
def more_devices(bench: Bench, count: int) -> Iterator[None]:
    """Adds devices, with nobody behind them, which all others learn of."""
    with contextlib.ExitStack() as devices:
        for number in range(count):
            devices.enter_context(bench.tailnet.router(f"other-{number}", []))
        yield


def used(app: Deployment, seconds: float) -> dict[str, Use]:
    """What each of the sidecar's containers uses in the next seconds."""
    names = [container["name"] for container in app.containers() if container["name"] in CONTAINERS]
    containers = {name: Sidecar(app, container=name) for name in names}
    ids = {name: container.container_id() for name, container in containers.items()}
    began, before = time.monotonic(), {name: cgroups.cpu_seconds(ids[name]) for name in names}
    memory = {name: [resident(container)] for name, container in containers.items()}
    counted = {name: [cgroups.working_set(ids[name])] for name in names}
    while time.monotonic() - began < seconds:
        time.sleep(1)  # between samples
        for name, container in containers.items():
            memory[name].append(resident(container))
            counted[name].append(cgroups.working_set(ids[name]))
    cpu = {name: cgroups.cpu_seconds(ids[name]) - before[name] for name in names}
    passed = time.monotonic() - began
    requests = requested(app)
    return {
        name: Use(max(memory[name]), 1000 * cpu[name] / passed, max(counted[name]) / 2**20, requests[name])
        for name in names
    }


def requested(app: Deployment) -> dict[str, float]:
    """MiB that each of a pod's containers requests."""
    spec = app.workspace.get("Pod", app.pod())["spec"]
    return {
        container["name"]: float(amount(container.get("resources", {}).get("requests", {}).get("memory", "0"))) / 2**20
        for container in (*spec.get("initContainers", ()), *spec["containers"])
    }


def resident(container: Sidecar) -> float:
    """MiB of a container's processes, the programs' code counted in full."""
    # Its control group would tell less: the code is another's there, if another container has the same image.
    pages = 0
    for pid in container.pids():
        with contextlib.suppress(OSError):  # it has ended
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE / 2**20


def used_under_load(app: Deployment, peer: Deployment) -> dict[str, Use]:
    """The same while the peer asks for files, and the app for names."""
    fetch = f"fetch http://{app.device().addresses[0]}/blob >/dev/null || echo failed"
    fetches = f"for i in $(seq {LOAD_SECONDS * REQUESTS}); do {{ {fetch}; }} & sleep {1 / REQUESTS}; done; wait"
    # The dot: how many names the search list makes of one is not the same in all, and a fault of the guide's.
    loop = f"--loop {1000 // ROUNDS} {CLUSTER_NAME}. {app.pod()}.lab.ts.net."
    resolvers = " ".join(f"timeout {LOAD_SECONDS} resolve-{resolver} {loop} >/dev/null &" for resolver in RESOLVERS)
    with ThreadPoolExecutor(2) as pool:
        answered = pool.submit(peer.exec, "sh", "-c", fetches)
        looked_up = pool.submit(app.exec, "sh", "-c", f"{resolvers} wait")
        found = used(app, LOAD_SECONDS)
        looked_up.result()
        if failures := answered.result().count("failed"):
            raise LabError(f"{failures} of the load's requests failed")
    return found
