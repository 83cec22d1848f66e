"""Defects of replicas that run, planted on one deployment one at a time: `doctor` names each, until it is undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.lab.images import REBUILT_IMAGE
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Deployment, Workspace
from tests.support.doctor import await_finding, by_api, disable_key_expiry, doctor, names, target
from tests.support.sidecar import Sidecar, stopped
from tests.support.state import empty

pytestmark = pytest.mark.soak  # more than a minute where other tests run beside it
DAY = 24 * 60 * 60
Plant = Callable[[Deployment], AbstractContextManager[None]]
PLANTED: list[tuple[tuple[str, ...], Plant]] = []
"""Defects, with what makes a deployment have them for as long as a block lasts."""


def planted(*defects: str) -> Callable[[Callable[[Deployment], Iterator[None]]], Plant]:
    """Marks a function that plants these defects, and undoes it."""

    def add(plant: Callable[[Deployment], Iterator[None]]) -> Plant:
        made = contextmanager(plant)
        PLANTED.append((defects, made))
        return made

    return add


@planted("state-missing")
def somebody_empties_a_state_secret(app: Deployment) -> Iterator[None]:
    data = app.workspace.get("Secret", app.pod())["data"]
    empty(app)
    yield
    patch = json.dumps({"data": data})
    app.workspace.kubectl("patch", "secret", app.pod(), "--type=merge", f"--patch={patch}")


@planted("device-offline")
def tailscaled_hangs(app: Deployment) -> Iterator[None]:
    with stopped(Sidecar(app).pids("tailscaled")[0]):
        yield


@planted("key-expires-soon")
def a_key_of_this_week(app: Deployment) -> Iterator[None]:
    app.workspace.tailnet.call("POST", f"/lab/devices/{app.device().id}/expire", {"seconds": 5 * DAY})
    yield
    disable_key_expiry(app, by_api(app.workspace.tailnet)["TS_API_KEY"])


@planted("scaled-down-device")
def a_replica_is_scaled_away(app: Deployment) -> Iterator[None]:
    app.workspace.kubectl("scale", f"statefulset/{app.name}", "--replicas=1")
    yield
    app.apply()


@planted("releases-differ", "sidecar-restarted")
def a_replica_has_another_image(app: Deployment) -> Iterator[None]:
    app.workspace.kubectl("set", "image", f"pod/{app.pod(1)}", f"tailscale={REBUILT_IMAGE}")
    yield
    app.delete_pods(1)


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    """Two replicas."""
    return shared_workspace.deploy(replicas=2)


@pytest.mark.parametrize(("defects", "plant"), [pytest.param(*p, id=p[1].__name__) for p in PLANTED])
def test_a_planted_defect_is_found_by_its_name_until_it_is_undone(
    app: Deployment, tailnet: Tailnet, defects: tuple[str, ...], plant: Plant
) -> None:
    api = by_api(tailnet)
    with plant(app):
        await_finding(app, *defects, **api)
    app.wait_for("nothing to be found", lambda: not names(doctor(app.workspace, target(app), **api)))
