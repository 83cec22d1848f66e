"""The end of a Pulumi program: when all is registered that it registers, packaged components' children too.

The engine has no such moment, and Pulumi's SDK does not say when it is at its own: it waits until no call to the engine
and no Output is under way. So does this.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pulumi
from pulumi.runtime import stack
from pulumi.runtime.settings import SETTINGS

SDK = str(Path(pulumi.__file__).parent)
POLL_SECONDS = 0.1
"""How often to look while the program itself is still running, which only one that awaits lets happen."""
WAITING: WeakKeyDictionary[asyncio.Task[Any], list[Callable[[], None]]] = WeakKeyDictionary()
"""Who waits for a program's end, and so is not what it waits for, with what is to be called then. One for all: it looks at
every task."""


def at_end_of_program(check: Callable[[], None]) -> None:
    """Calls a function when the program is at its end. What it raises fails the program, unless that has failed before."""
    loop = asyncio.get_event_loop()
    for waiting, checks in WAITING.items():
        if waiting.get_loop() is loop and not waiting.done():
            checks.append(check)
            return

    async def wait() -> None:
        while work := [task for task in asyncio.all_tasks() if _is_work(task)]:
            await asyncio.wait(work, timeout=POLL_SECONDS)
        if not any(_has_failed(task) for task in asyncio.all_tasks()):
            for one in WAITING[task]:
                one()

    task = asyncio.ensure_future(wait(), loop=loop)
    WAITING[task] = [check]
    with SETTINGS.lock:
        SETTINGS.outputs.add(task)  # as each Output does, whose errors the SDK raises


def _is_work(task: asyncio.Task[Any]) -> bool:
    """Whether something is under way that may register a resource."""
    if task in WAITING:
        return False
    chain = _chain(task)
    is_sdk = any(code.co_filename.startswith(SDK) for code, _ in chain[:1])
    return is_sdk and not any(code is stack.wait_for_rpcs.__code__ for code, _ in chain)


def _has_failed(task: asyncio.Task[Any]) -> bool:
    """Whether it is the program, and has raised an error that the SDK raises again at the end."""
    return any(code is stack.run_pulumi_func.__code__ and local.get("ex") for code, local in _chain(task))


def _chain(task: asyncio.Task[Any]) -> list[tuple[Any, Any]]:
    """The functions that a task is in, the outermost first, each with its variables."""
    found: list[tuple[Any, Any]] = []
    coroutine: Any = task.get_coro()
    while inspect.iscoroutine(coroutine):
        frame = coroutine.cr_frame
        found.append((coroutine.cr_code, frame.f_locals if frame else {}))
        coroutine = coroutine.cr_await
    return found
