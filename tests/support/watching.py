"""What the control plane says of a replica's device, again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from tests.lab.tailnet_client import Device, device
from tests.support.deployment import Deployment


class Seen(NamedTuple):
    """What the control plane said at one moment."""

    time: float
    device: Device


@contextmanager
def watching(app: Deployment) -> Iterator[list[Seen]]:
    """Asks the control plane about the first replica's device again and again."""
    seen: list[Seen] = []
    done = threading.Event()

    def watch() -> None:
        device_id = app.device().id
        while not done.wait(0.05):
            found = device(app.workspace.tailnet.call("GET", f"/lab/devices/{device_id}"))
            seen.append(Seen(time.time(), found))

    with ThreadPoolExecutor(1) as thread:
        watcher = thread.submit(watch)
        try:
            yield seen
        finally:
            done.set()
            watcher.result()
