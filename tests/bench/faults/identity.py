"""What could make a replica another device, or leave one behind."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from tests.bench.recovery import PATIENCE, Before, recoveries, restarts, seconds_until_back, trouble
from tests.bench.table import Cell, Rows, counted
from tests.lab import LabError
from tests.lab.shell import wait_for
from tests.support.deployment import Deployment
from tests.support.interruptions import MOMENTS, delete
from tests.support.sidecar import Sidecar
from tests.support.state import empty, rewrite, tells_of_another
from tests.support.subjects import DEFAULT, Bench

ROLLED = 10
DELETED_SECONDS = 60
"""What a replica has to notice that its device was deleted, and to be back; its promise is 2 minutes."""


def rolling_restart(bench: Bench) -> Rows:
    """All replicas, five at a time."""
    strategy = {"rollingUpdate": {"maxUnavailable": 5}}
    with bench.deployed(DEFAULT, replicas=ROLLED, pod_management_policy="Parallel", update_strategy=strategy) as apps:

        def roll() -> None:
            names = [f"statefulset/{app.name}" for app in apps.apps.values()]
            apps.workspace.kubectl("rollout", "restart", *names)

        yield recoveries(apps, f"rolling restart of {ROLLED} replicas", roll, restarts=True)


def lost_state(bench: Bench) -> Rows:
    """Somebody rewrites, empties or deletes the first replica's state Secret; then its sidecar or pod starts anew."""
    with bench.deployed(DEFAULT, replicas=2) as apps:
        yield apps.row("state Secret rewritten with another device's, then tailscaled killed", rewritten)
        yield apps.row("state Secret emptied", emptied)
        yield apps.row("state Secret deleted", deleted)


def rewritten(app: Deployment) -> Cell:
    """Whether the log tells of another device. Only the first replica is left: both would be the same device."""
    before, sidecar = Before.of(app), Sidecar(app)
    own, other = app.device(0), app.device(1)
    rewrite(app)
    app.change(wait=False, replicas=1)
    sidecar.kill()
    wait_for("the sidecar to end", lambda: sidecar.container_id() != before.containers[0])
    with contextlib.suppress(LabError):
        wait_for("a word of it", lambda: tells_of_another(app, other, own), PATIENCE)
    says_so = tells_of_another(app, other, own)
    return Cell("told in its log" if says_so else "says nothing", holds=says_so)


def emptied(app: Deployment) -> Cell:
    """How the next pod comes up without a state."""
    empty(app)
    seconds = seconds_until_replaced(app)
    if seconds is None:
        return Cell(f"not back in {PATIENCE} s; {trouble(app)}", holds=False)
    says_so = "the state store holds no device" in app.logs()
    text = [
        f"registers anew in {seconds:.0f} s",
        "says why in its log" if says_so else "says nothing",
        *([counted(crashes, "crash")] if (crashes := restarts(app)) else []),
    ]
    return Cell("; ".join(text), holds=says_so and not crashes)


def deleted(app: Deployment) -> Cell:
    """The component's replicas may make no Secret; the next `up` does."""
    app.workspace.kubectl("delete", "secret", app.pod())
    seconds = seconds_until_replaced(app, 15)
    if seconds is not None:
        return Cell(f"registers anew in {seconds:.0f} s")
    says_so = f"tailscale state Secret {app.pod()} does not exist" in Sidecar(app).logs()
    applied = time.time()
    app.apply(wait=False)
    seconds = seconds_until_back(app, applied)
    if seconds is None:
        return Cell(f"not back in {PATIENCE} s; {trouble(app)}", holds=False)
    return Cell(
        f"{'its log names the Secret' if says_so else 'says nothing'}; registers anew {seconds:.0f} s after the next `up`",
        holds=says_so,
    )


def seconds_until_replaced(app: Deployment, patience: float = PATIENCE) -> float | None:
    """Deletes the pod; how long its successor takes."""
    before = Before.of(app)
    app.workspace.kubectl("delete", "pod", app.pod())
    wait_for("the next pod", before.has_restarted)
    return seconds_until_back(app, before.time, patience)


def interrupted_registration(bench: Bench) -> Rows:
    """A new pod is killed before it has saved who it is."""
    with bench.apps(DEFAULT) as apps:
        yield apps.row(f"{len(MOMENTS)} new pods, each killed at another moment of its registration", interrupted)


def interrupted(app: Deployment) -> Cell:
    """How many devices there are in the end, of a deployment for each moment."""
    with ThreadPoolExecutor(len(MOMENTS)) as pool:
        up = list(pool.map(partial(is_up_after, app), range(len(MOMENTS)), MOMENTS))
    devices = app.devices()
    text = [
        *([f"{up.count(False)} never up"] if not all(up) else []),
        f"{counted(len(devices), 'device')} in the end",
    ]
    return Cell("; ".join(text), holds=all(up) and len(devices) == len(MOMENTS))


def is_up_after(app: Deployment, number: int, moment: str) -> bool:
    """Whether a deployment comes up whose pod was killed at that moment."""
    new = replace(app, name=f"{app.name}-{number}", arguments={**app.arguments, "auth": app.workspace.oauth()})
    new.apply(wait=False)
    wait_for(moment, lambda: MOMENTS[moment](new))
    delete(new, 0)
    return seconds_until_back(new, time.time()) is not None


def deleted_device(bench: Bench) -> Rows:
    """Somebody deletes the device in the admin console."""
    with bench.deployed(DEFAULT) as apps:
        yield apps.row("device deleted on the tailnet while its pod runs", device_deleted)


def device_deleted(app: Deployment) -> Cell:
    """When there is another."""
    app.workspace.tailnet.call("DELETE", f"/lab/devices/{app.device().id}")
    seconds = seconds_until_back(app, time.time(), DELETED_SECONDS)
    if seconds is None:
        return Cell(f"not back in {DELETED_SECONDS} s; {trouble(app)}", holds=False)
    devices = counted(len(app.devices()), "device")
    return Cell(f"back in {seconds:.0f} s; {devices}", holds=len(app.devices()) == 1)
