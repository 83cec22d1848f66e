"""Running commands, waiting for conditions, saying what goes on."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .settings import SYSTEM_PATH


class LabError(Exception):
    """The lab cannot do what it was asked; the message names what is wrong and the way out."""


def run(
    command: Sequence[str | Path],
    *,
    stdin: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end and return what it printed; fail with its last words."""
    words = [str(word) for word in command]
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, cwd=cwd, env=env, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise LabError(f"`{shlex.join(words)}` ended with status {done.returncode}:\n  " + "\n  ".join(said))
    return done.stdout


def find_command(name: str) -> str | None:
    """Find a command also where a user's PATH often does not look: sbin and Go's own folder."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}:/usr/local/go/bin")


def wait_for(what: str | Callable[[], str], condition: Callable[[], bool], timeout: float = 60) -> None:
    """Return as soon as the condition holds; a function says what is missing when the wait was in vain."""
    deadline = time.monotonic() + timeout
    pause = 0.05
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout:.0f} s in vain for {what if isinstance(what, str) else what()}")
        time.sleep(pause)
        pause = min(1.3 * pause, 0.5)  # a condition may start a program each time


def say(line: str) -> None:
    """Tell the user how it goes, apart from what a command prints as its result."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say that a long step begins, and how long it took."""
    say(f"… {what}")
    began = time.monotonic()
    yield
    say(f"✓ {what} ({time.monotonic() - began:.1f} s)")


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock between processes; the kernel frees it if the holder is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"… waiting for another process that {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
