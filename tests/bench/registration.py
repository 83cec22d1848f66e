"""How 1,000 replicas register with a control plane that limits how often: one after the other, all at once, at a rate."""

from __future__ import annotations

import os
import subprocess
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from tailscale_sidecar import ClusterDns, OAuthClient
from tests.lab import binaries
from tests.lab.shell import step
from tests.lab.tailnet_client import Tailnet
from tests.support.pod import NAME
from tests.support.subjects import Bench, Subject

from .sidecars import sidecars
from .table import Cell, Row, Rows

REPLICAS, REAL = 1000, 100
"""Replicas in all, and how many of them are real tailscaled processes; the others only play what a start asks for."""
LIMIT, BURST, RETRY_AFTER = 10, 10, 10
"""What the control plane allows: so many requests a second for tokens, for keys and to register each, so many at once,
and the seconds that it asks to wait for. Tailscale publishes no such figures."""
RATE = 5
WINDOW = 10
"""Seconds; in a single one, a busy machine does what it did not get to in the one before."""
STEP, STEP_SECONDS = 10, 1.5
"""Replicas of a step, and the seconds that it takes here; in a cluster it takes what a pod takes, which is added."""
PATIENCE = 300
"""Seconds until replicas that are not registered are given up."""
IN_ORDER = 10
"""Replicas of the real StatefulSet that shows how long OrderedReady takes for each."""


class Registration(NamedTuple):
    """How some replicas came to the tailnet."""

    replicas: int
    registered: int
    seconds: float
    """Until the last of those that did."""
    busiest: int
    """Registrations in WINDOW seconds, at most."""
    requests: int
    """To the control plane and its API."""
    refused: int
    """Requests that it answered 429."""


def registration(bench: Bench) -> Rows:
    """Each way to start, with the same limits."""
    with step(f"{IN_ORDER} pods with OrderedReady"):
        ordered = in_order(bench)
    steps, at_once, at_a_rate = f"in steps of {STEP}", "Parallel", f"Parallel, registration_rate={RATE}"
    found = {"OrderedReady": ordered}
    with step(f"{REPLICAS} replicas {steps}"):
        simulated = registered(bench, 0, f"-step={STEP}", f"-pause={STEP_SECONDS}s")
        longer = max(0, ordered.seconds / ordered.replicas - STEP_SECONDS)
        found[steps] = simulated._replace(seconds=simulated.seconds + longer * REPLICAS / STEP)
    with step(f"{REPLICAS} replicas at once"):
        found[at_once] = registered(bench, REAL, allow_registration_burst=True)
    with step(f"{REPLICAS} replicas, {RATE} a second"):
        found[at_a_rate] = registered(bench, REAL, f"-rate={RATE}", registration_rate=RATE)

    def row(title: str, text: Callable[[Registration], str], holds: Callable[[Registration], bool]) -> Row:
        cells = {label: Cell(text(one), label != at_a_rate or holds(one)) for label, one in found.items()}
        return Row(title, cells)

    yield row("registered", progress, lambda one: one.registered == REPLICAS)
    yield row(
        f"registrations in the busiest {WINDOW} seconds",
        lambda one: str(one.busiest),
        lambda one: one.busiest <= 2 * RATE * WINDOW,
    )
    yield row(
        "requests for each that registered",
        lambda one: f"{one.requests / one.registered:.1f}",
        lambda one: one.requests <= REPLICAS * ordered.requests / ordered.replicas,
    )
    yield row("answered 429", lambda one: f"{one.refused:,}", lambda one: one.refused < found[at_once].refused / 10)


def progress(one: Registration) -> str:
    """How many of how many, and in which time; what is known of a few in order is as well known of many."""
    seconds, count = one.seconds, one.registered
    if one.replicas < REPLICAS:
        seconds, count = seconds * REPLICAS / one.replicas, REPLICAS
    return f"{count:,} in {seconds / 60:.0f} min" if seconds > 2 * PATIENCE else f"{count:,} in {seconds:.0f} s"


def in_order(bench: Bench) -> Registration:
    """Real pods, one after the other."""
    subject = Subject("component", dns=ClusterDns())
    with limits(bench.tailnet), bench.apps((subject,), replicas=IN_ORDER) as apps:
        (app,) = apps.apps.values()
        began = since_now(bench.tailnet)
        app.apply(wait=False)
        app.await_ready(600)
        found = seen(bench.tailnet, app.name, IN_ORDER, began)
        # Pods that still run would log in again, for their devices are about to be deleted.
        app.workspace.kubectl("delete", f"statefulset/{app.name}")
        app.workspace.kubectl("wait", "pods", f"--selector=app={app.name}", "--for=delete", "--timeout=120s")
        return found


def registered(bench: Bench, real: int, *flags: str, **arguments: Any) -> Registration:
    """So many real sidecars and simulated ones, until all are registered or it takes too long."""
    client_id, secret = bench.tailnet.oauth_client()
    auth = OAuthClient(client_id=client_id, client_secret=secret)
    with limits(bench.tailnet):
        began = since_now(bench.tailnet)
        ends = time.monotonic() + PATIENCE
        first = REPLICAS - real  # the last are real: they have started when their turn comes, however busy the machine
        with simulated(secret, first, flags) as others, sidecars(auth, range(first, REPLICAS), **arguments):
            while time.monotonic() < ends and not (others.poll() == 0 and has_all(bench.tailnet)):
                time.sleep(1)  # between looks
            return seen(bench.tailnet, NAME, REPLICAS, began)


@contextmanager
def simulated(secret: str, count: int, flags: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """So many simulated replicas."""
    program = binaries.ensure(binaries.REPLICAS) / "replicas"
    command = [str(program), f"-name={NAME}", f"-replicas={count}", *flags]
    with subprocess.Popen(
        command, env={**os.environ, "TS_CLIENT_SECRET": secret}, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def limits(tailnet: Tailnet) -> Iterator[None]:
    """A control plane that has no devices, and limits how many come."""
    for device in tailnet.devices():
        tailnet.call("DELETE", f"/lab/devices/{device.id}")
    with ExitStack() as faults:
        for target in ("oauth", "api", "register"):
            faults.enter_context(tailnet.fault(target=target, rate=LIMIT, burst=BURST, retry_after=RETRY_AFTER))
        yield


def has_all(tailnet: Tailnet) -> bool:
    """Whether every replica is a device."""
    return len(tailnet.devices(f"{NAME}-")) == REPLICAS


def since_now(tailnet: Tailnet) -> float:
    """Forgets the requests so far; gives the time."""
    tailnet.call("DELETE", "/lab/requests")
    return time.time()


def seen(tailnet: Tailnet, name: str, replicas: int, began: float) -> Registration:
    """What the control plane has seen of a StatefulSet's replicas since."""
    requests = tailnet.requests()
    first: dict[str, float] = {}
    for request in requests:
        if succeeded(request) and request["hostname"].startswith(f"{name}-"):
            first.setdefault(request["hostname"], datetime.fromisoformat(request["time"]).timestamp() - began)
    return Registration(
        replicas=replicas,
        registered=len(first),
        seconds=max(first.values(), default=0),
        busiest=busiest(sorted(first.values())),
        requests=len(requests),
        refused=sum(request["status"] == 429 for request in requests),
    )


def busiest(times: list[float]) -> int:
    """How many of some moments, which are in order, fall into WINDOW seconds at most."""
    return max((bisect_left(times, begin + WINDOW) - index for index, begin in enumerate(times)), default=0)


def succeeded(request: dict[str, Any]) -> bool:
    """Whether a request made a device."""
    if request["path"] != "/machine/register" or request["status"] != 200:
        return False
    said = request.get("summary")
    return said is not None and not said.get("error") and not said["needs_login"]
