"""The lab's processes: started apart from their starter, known by number and start time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cgroups
from .settings import BIN, LOGS, RUN, SYSTEM_PATH
from .shell import LabError, wait_for

# The process joins the lab's control group and writes its own record before it becomes the
# program, so that no moment exists in which a killed starter leaves a process nobody knows.
LAUNCH = """\
cd /
echo $$ > "$1/cgroup.procs"
echo "$$ $(cut -d ' ' -f 22 /proc/$$/stat)" > "$2"
shift 2
exec "$@"
"""


@dataclass(frozen=True)
class Process:
    """A process as it was recorded; its number may belong to another one by now."""

    pid: int
    started: str

    @staticmethod
    def recorded(name: str) -> Process | None:
        """The process last started under this name."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid, started = record(name).read_text().split()
            return Process(int(pid), started)
        return None

    def runs(self) -> bool:
        """Whether this very process is still there, and not just waiting to be buried."""
        with contextlib.suppress(OSError):
            state, *rest = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
            return rest[18] == self.started and state not in "ZX"
        return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process."""
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.runs():
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)

    def wait(self, timeout: float) -> bool:
        """Wait for the end of the process; say whether it came."""
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.runs() and not select.select([handle], [], [], timeout)[0]:
                    return False
            finally:
                os.close(handle)
        with contextlib.suppress(ChildProcessError):  # bury it, if it is a child of this process
            os.waitpid(self.pid, os.WNOHANG)
        return True

    def stop(self, grace: float = 5) -> None:
        """Ask the process to end, and kill it if it does not: an API server waits for a minute."""
        self.send(signal.SIGTERM)
        if not self.wait(grace):
            self.kill()

    def kill(self) -> None:
        """Kill the process and wait until it is gone."""
        self.send(signal.SIGKILL)
        if not self.wait(20):
            raise LabError(f"process {self.pid} does not die; is it stuck in the kernel?")


def record(name: str) -> Path:
    """The file that says which process runs under a name."""
    return RUN / f"{name}.process"


def log(name: str) -> Path:
    """The file a component writes its log to."""
    return LOGS / f"{name}.log"


def start(name: str, group: str, command: Sequence[str], env: Mapping[str, str]) -> None:
    """Start a program that outlives the starter."""
    for folder in (RUN, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    record(name).unlink(missing_ok=True)
    # No proxy, no user's settings. Two cores carry a whole cluster: memory is cheaper than collecting garbage.
    clean = {"PATH": f"{BIN}:{SYSTEM_PATH}", "HOME": "/root", "GOGC": "400", **env}
    os.posix_spawn(
        "/bin/sh",
        ["sh", "-ec", LAUNCH, "sh", str(cgroups.home(group)), str(record(name)), *command],
        clean,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log(name)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    wait_for(f"{name} to start", lambda: Process.recorded(name) is not None, 10)
