"""The lab's control group: it holds every process of the lab, pods included, by inheritance."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from .settings import NAME
from .shell import LabError, wait_for

T = TypeVar("T")

ROOT = Path("/sys/fs/cgroup")
PODS = f"/{NAME}"  # the kubelet puts the pods below this, into `kubepods`
NODE = "node"  # what goes down with the node: its components and the shims of its containers
CONTROL = "control"  # what does not


def hierarchies() -> list[Path]:
    """The mounted hierarchies: one on a machine of version 2, one a controller on version 1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return sorted(path.parent for path in ROOT.glob("*/cgroup.procs"))


def hierarchy_of(controller: str) -> Path:
    """The hierarchy that has a controller: on version 2, the one that has all."""
    return next((path for path in hierarchies() if controller in path.name.split(",")), hierarchies()[0])


def home(group: str) -> Path:
    """The group of some of the lab's own processes, in the hierarchy that tracks them."""
    return hierarchy_of("pids") / NAME / group


def create() -> None:
    """Make the groups. The kubelet wants its root in every hierarchy, with all controllers."""
    if hierarchies() == [ROOT]:
        controllers = (ROOT / "cgroup.controllers").read_text().split()
        (ROOT / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
    for hierarchy in hierarchies():
        (hierarchy / NAME).mkdir(exist_ok=True)
    for group in (NODE, CONTROL):
        home(group).mkdir(exist_ok=True)


def groups(below: str = "") -> Iterator[Path]:
    """Every group of the lab, children before their parents."""
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / NAME / below, topdown=False):
            yield Path(folder)


def processes(below: str = "") -> set[int]:
    """The processes in the lab's groups."""
    found: set[int] = set()
    for group in groups(below):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
    return found


def cpu_seconds(container_id: str) -> float:
    """The CPU that a container has used so far."""
    return cpu_of_group(group_of(container_id, "cpuacct"))


def group_of(container_id: str, controller: str) -> Path:
    """A running container's group."""
    folders = (Path(folder) for folder, _, _ in os.walk(pods(controller)))  # glob fails on a group that goes meanwhile
    found = next((folder for folder in folders if folder.name == container_id), None)
    if found is None:
        raise LabError(f"container {container_id[:12]} has ended")
    return found


def processes_of(container_id: str) -> list[int]:
    """A container's processes; none when it has ended."""
    try:
        return [int(pid) for pid in (group_of(container_id, "pids") / "cgroup.procs").read_text().split()]
    except (LabError, OSError):
        return []


def pods(controller: str) -> Path:
    """The group of all pods."""
    return hierarchy_of(controller) / NAME / "kubepods"


def memory_used(group: Path) -> float:
    """The bytes that a group's processes, and the kernel for them, hold, but files of disks: of those the kernel may forget
    what it has in memory, and containers of one image share it."""
    stat = memory_stat(group)
    if (kernel := group / "memory.kmem.usage_in_bytes").exists():  # version 1
        return stat["total_rss"] + stat["total_shmem"] + int(kernel.read_text())
    return stat["anon"] + stat["shmem"] + stat["kernel"]


def memory_stat(group: Path) -> dict[str, int]:
    """The kernel's account of a group's memory, in bytes."""
    return {name: int(value) for name, value in map(str.split, (group / "memory.stat").read_text().splitlines())}


def working_set(container_id: str) -> float:
    """The bytes of a container by which the kubelet ranks pods when memory runs short: all but inactive files."""
    group = group_of(container_id, "memory")
    stat = memory_stat(group)
    if (used := group / "memory.usage_in_bytes").exists():  # version 1
        return int(used.read_text()) - stat["total_inactive_file"]
    return int((group / "memory.current").read_text()) - stat["inactive_file"]


def cpu_of_group(group: Path) -> float:
    """The seconds of CPU that a group has used so far, in the hierarchy that counts them."""
    if (own := group / "cpuacct.usage").exists():
        return int(own.read_text()) / 1e9
    return int(re.findall(r"usage_usec (\d+)", (group / "cpu.stat").read_text())[0]) / 1e6


def cpu_of(run: Callable[[], T]) -> tuple[float, T]:
    """The seconds of CPU of all processes that `run` starts, and its result.

    The kernel counts a process that ended for its parent only if that waited for it, and Pulumi's does not always.
    """
    hierarchy = hierarchy_of("cpuacct")
    before, group = hierarchy / own_group(hierarchy), hierarchy / f"{NAME}-cpu-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cgroup.procs").write_text(str(os.getpid()))
        own = time.process_time()
        result = run()
        wait_for("what was started to end", lambda: (group / "cgroup.procs").read_text().split() == [str(os.getpid())])
        return cpu_of_group(group) - (time.process_time() - own), result
    finally:
        (before / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


def own_group(hierarchy: Path) -> str:
    """The group in which this process is, below the hierarchy's root."""
    controller = "" if hierarchy == ROOT else hierarchy.name.split(",")[0]
    line = rf"^\d+:(?:[\w=]+,)*{controller}(?:,[\w=]+)*:/(.*)$"
    return str(re.findall(line, Path("/proc/self/cgroup").read_text(), re.MULTILINE)[0])


def kill(below: str = "") -> None:
    """Kill every process in the lab's groups, until there is none."""

    def none_left() -> bool:
        for pid in (left := processes(below)):
            kill_member(pid)
        return not left

    wait_for("the lab's processes to end", none_left)


def kill_member(pid: int) -> None:
    """Kill a process, but not one that has come to have the same number meanwhile."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # it has ended by itself
        handle = os.pidfd_open(pid)
        try:
            if NAME in re.split(r"[/\n]", Path(f"/proc/{pid}/cgroup").read_text()):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def delete(below: str = "") -> None:
    """Remove the groups, once their processes are gone."""

    def gone() -> bool:
        for group in groups(below):
            with contextlib.suppress(OSError):
                group.rmdir()
        return not any(True for _ in groups(below))

    wait_for("the lab's control groups to go", gone)
