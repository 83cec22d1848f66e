"""What fault tests do to a replica's sidecar, and how they see that it is back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.lab import LabError, cgroups
from tests.lab.settings import TAILSCALE_VERSION
from tests.lab.tailnet_client import Device
from tests.support.deployment import Deployment

LIMIT = 10.0 + 15.0 * TAILSCALE_VERSION.startswith("1.98.")
"""Seconds from the start of the sidecar's container until the replica is back on the tailnet.

1.98 looks for its own addresses every 15 s only (peerPollInterval in tailscale.com@v1.98.10 cmd/containerboot/main.go).
"""
KILLS, SECONDS_APART = 3, 20.0


@dataclass(frozen=True)
class Sidecar:
    """The tailscale container of one replica."""

    app: Deployment
    ordinal: int = 0
    container: str = "tailscale"

    # -- looking ---------------------------------------------------------------------------

    def processes(self) -> int:
        """How many it has, with those that have ended and are not buried, and with the `ls` that counts them."""
        listed = self.app.exec("ls", "/proc", ordinal=self.ordinal, container=self.container)
        return sum(name.isdigit() for name in listed.split())

    def status(self) -> dict[str, Any]:
        """The container's status, as the kubelet reports it."""
        (found,) = [c for c in self.app.containers(self.ordinal) if c["name"] == self.container]
        return dict(found)

    def device(self) -> Device:
        """The replica's device."""
        return self.app.device(self.ordinal)

    def is_online(self) -> bool:
        """Whether the control plane has a connection to it, under whatever name."""
        return any(device.online for device in self.app.devices() if device.hostname.endswith(f"-{self.ordinal}"))

    def is_connected(self) -> bool:
        """Whether it and the control plane agree that it is on the tailnet."""
        try:
            return self.is_online() and '"BackendState": "Running"' in self.tailscale("status", "--json")
        except LabError:
            return False  # the container does not run

    def tailscale(self, *arguments: str) -> str:
        """The real `tailscale`, asked in the container."""
        return self.app.exec(
            *("/usr/local/bin/tailscale", "--socket=/tmp/tailscaled.sock", *arguments),
            ordinal=self.ordinal,
            container=self.container,
        )

    def shell(self, script: str) -> str:
        """Runs a script in the container; that the container ends under it is no error."""
        with contextlib.suppress(LabError):
            return self.app.exec("sh", "-c", script, ordinal=self.ordinal, container=self.container)
        return ""

    def prefs(self) -> dict[str, Any]:
        """The settings that tailscaled has in force."""
        return dict(json.loads(self.tailscale("debug", "prefs")))

    def logs(self) -> str:
        """The container's log; nothing while it has not started."""
        with contextlib.suppress(LabError):
            return self.app.logs(self.ordinal, self.container)
        return ""

    def last_words(self) -> str:
        """Why it ended, as the pod's status says; nothing before it did."""
        found = [(c["state"], c["lastState"]) for c in self.app.containers(self.ordinal) if c["name"] == self.container]
        ended = [state["terminated"] for states in found for state in states if "terminated" in state]
        return "\n".join(state.get("message", "") for state in ended)

    def container_id(self) -> str:
        """What its control group is named; nothing before its first start."""
        return str(self.status().get("containerID", "")).removeprefix("containerd://")

    def pids(self, name: str = "") -> list[int]:
        """The host's numbers of the container's processes of that name, the oldest first."""
        container = self.container_id()
        pids = cgroups.processes_of(container) if container else []
        return sorted(pid for pid in pids if not name or comm(pid) == name)

    def health_url(self) -> str:
        """Where containerboot says whether tailscaled has its network map."""
        return f"http://{self.app.status(self.ordinal)['podIP']}:9002{self.app.health_path}"

    # -- breaking --------------------------------------------------------------------------

    def kill(self, name: str = "tailscaled") -> None:
        """Kills a process of the container (SIGKILL)."""
        self.app.wait_for(f"{name} to run", lambda: self.pids(name) != [])
        os.kill(self.pids(name)[0], signal.SIGKILL)

    def crash(
        self,
        name: str = "tailscaled",
        fault: Callable[[], object] | None = None,
        while_down: Callable[[], object] = lambda: None,
        seconds: float = 120,
    ) -> float:
        """Kills a process, or brings its end about by another fault; returns what `await_return` does."""
        before, health = self.status()["restartCount"], self.health_url()
        (fault or (lambda: self.kill(name)))()
        self.app.wait_for("the sidecar to end", lambda: not answers(health))
        while_down()
        return self.await_return(before, seconds)

    def crash_again_and_again(
        self, while_down: Callable[[], object] = lambda: None, seconds: float = 120
    ) -> Iterator[float]:
        """Kills tailscaled as often as `KILLS`, `SECONDS_APART`; yields for each what `await_return` does."""
        began = time.monotonic()
        for number in range(KILLS):
            time.sleep(max(0, began + number * SECONDS_APART - time.monotonic()))  # when the fault comes
            yield self.crash(while_down=while_down, seconds=seconds)

    def await_return(self, restarts_before: int, seconds: float = 120) -> float:
        """Waits until a restarted container is back on the tailnet; returns how long that took after its start.

        How long the kubelet waits before the start (CrashLoopBackOff) is not the sidecar's to decide.
        """
        health = self.health_url()
        self.app.wait_for("the restart", lambda: self.status()["restartCount"] > restarts_before, seconds)
        self.app.wait_for("the sidecar to be back", lambda: answers(health) and self.is_online(), seconds)
        return time.time() - seconds_of(self.status()["state"]["running"]["startedAt"])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing, as one that hangs (SIGSTOP)."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def starved(app: Deployment, chosen: Callable[[int], bool], seconds: float = 0.3) -> Iterator[None]:
    """Stops the chosen processes for so long at a time, with moments between, as on a node that has no CPU to spare for them."""
    ordinals = range(app.replicas)
    app.wait_for("the pods", lambda: all(map(app.uid, ordinals)))
    uids = [app.uid(ordinal) for ordinal in ordinals]
    over = threading.Event()
    held: set[int] = set()

    def send(number: signal.Signals, pids: Collection[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def starve() -> None:
        while not over.is_set():
            began = time.monotonic()
            while time.monotonic() - began < seconds and not over.is_set():
                # A process that is new has to wait from its first moment on, too.
                found = {pid for uid in uids for pid in pids_of_pod(uid) if chosen(pid)}
                send(signal.SIGSTOP, found)
                held.update(found)
                over.wait(0.01)
            send(signal.SIGCONT, held)  # whatever it has become: a shell may be another program by now
            held.clear()
            over.wait(0.02)

    with ThreadPoolExecutor(1) as pool:
        starving = pool.submit(starve)
        try:
            yield
        finally:
            over.set()
        starving.result()


def pids_of_pod(uid: str) -> list[int]:
    """The host's numbers of a pod's processes; none before it has started."""
    folder = cgroups.home("kubepods") / "burstable" / f"pod{uid}"  # requests without limits, as the sidecar has them
    try:
        return [int(pid) for file in folder.glob("*/cgroup.procs") for pid in file.read_text().split()]
    except OSError:
        return []  # a container comes or goes


def is_command(pid: int) -> bool:
    """Whether a process is a `tailscale` command."""
    return comm(pid) == "tailscale"


def reads_the_log(pid: int) -> bool:
    """Whether a process is the shell that passes tailscaled's log on."""
    try:
        return comm(pid) == "tailscaled" and Path(f"/proc/{pid}/exe").readlink().name != "tailscaled"
    except OSError:
        return False  # it has ended


def comm(pid: int) -> str:
    """Name of a process, or nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def answers(url: str) -> bool:
    """Whether a URL answers 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        pass  # nobody listens
    return False


def seconds_of(timestamp: str) -> float:
    """A time of the Kubernetes API as seconds since the epoch; it has no fractions."""
    return datetime.fromisoformat(timestamp).timestamp()


def identity(devices: list[Device]) -> list[tuple[str, str, tuple[str, ...]]]:
    """What must stay as it is through every fault."""
    return [(d.id, d.node_key, d.addresses) for d in devices]
