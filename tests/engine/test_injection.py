"""The sidecar in workloads that charts, YAML and other programs describe, on a real engine, cluster and tailnet."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab
from tests.lab.images import APP_IMAGE
from tests.lab.shell import wait_for
from tests.lab.tailnet_client import Device
from tests.support.deployment import Deployment, Workspace
from tests.support.look_ups import RESOLVERS
from tests.support.program import Program
from tests.support.sidecar import Sidecar, identity
from tests.support.stack import PulumiError

CHART = Path(__file__).parents[1] / "support/chart"
SIDECAR = """\
def sidecar(name, **arguments):
    least = dict(
        workload=name,
        namespace={namespace!r},
        auth=OAuthClient(client_secret=config.get_secret("clientSecret")),
        login_server={login_server!r},
        tags=["tag:k8s"],
        env={{"TS_NO_LOGS_NO_SUPPORT": "true"}},
    )
    return TailscaleSidecar(name, TailscaleSidecarArgs(**{{**least, **arguments}}))

def opts(*sidecars):
    return pulumi.ResourceOptions(transforms=[one.transform for one in sidecars])
"""


@dataclass(frozen=True)
class Injected:
    """A program whose workloads are others'."""

    program: Program

    @property
    def workspace(self) -> Workspace:
        """The namespace that it deploys to."""
        return self.program.workspace

    def up(self, source: str) -> str:
        """Deploys what the source makes."""
        self.write(source)
        return self.program.stack.up()

    def write(self, source: str) -> None:
        """Writes the program with this source; `namespace` is a variable of it."""
        head = SIDECAR.format(namespace=self.workspace.namespace, login_server=self.workspace.tailnet.url)
        self.program.tail = f"namespace = {self.workspace.namespace!r}\n{head}{source}"
        self.program.write()

    def rolled_out(self, kind: str, name: str) -> dict[str, Any]:
        """The workload, once all its pods are new and ready."""
        self.workspace.kubectl("rollout", "status", f"{kind.lower()}/{name}", "--timeout=180s")
        return self.workspace.get(kind, name)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The workload's pods that do not end."""
        return [
            pod
            for pod in self.workspace.find_all("Pod")
            if pod["metadata"]["name"].startswith(name) and "deletionTimestamp" not in pod["metadata"]
        ]

    def online(self, prefix: str) -> list[Device]:
        """The devices of that name that are connected."""
        return [device for device in self.workspace.tailnet.devices(prefix) if device.online]


@pytest.fixture
def injected(program: Program) -> Injected:
    """An empty program."""
    return Injected(program)


def unique(name: str) -> str:
    """A name that no other test's devices have."""
    return f"{name}-{secrets.token_hex(2)}"


def chart(name: str, *, sidecar: bool) -> str:
    """The tests' chart, with and without the sidecar."""
    made = (
        f"one = sidecar({name!r}, kind='StatefulSet', replicas=2, service_account_name={name!r}, "
        "dns=InPodSplitDns(tailnet_domains=['lab.ts.net']))\n"
    )
    options = ", opts=opts(one)" if sidecar else ""
    return f"{made if sidecar else ''}k8s.helm.v4.Chart({name!r}, chart={str(CHART)!r}, namespace=namespace{options})\n"


def test_a_charts_replicas_are_devices_that_last_and_without_the_transform_it_is_as_before(
    injected: Injected, lab: Lab
) -> None:
    name = unique("store")
    lab.add_volumes(2)
    injected.up(chart(name, sidecar=False))
    before = injected.rolled_out("StatefulSet", name)["spec"]

    injected.up(chart(name, sidecar=True))
    injected.rolled_out("StatefulSet", name)
    injected.program.stack.expect_no_changes()
    app = Deployment(injected.workspace, name, {"replicas": 2})
    devices = injected.online(name)
    assert {device.hostname for device in devices} == {f"{name}-0", f"{name}-1"}
    assert [(device.tags, device.ephemeral) for device in devices] == [(("tag:k8s",), False)] * 2
    look = " && ".join(f"resolve-{resolver} kubernetes.default $(hostname).lab.ts.net" for resolver in RESOLVERS)
    app.exec("sh", "-c", look, container="store")

    first = identity(devices)
    Sidecar(app).crash()
    injected.workspace.kubectl("delete", "pod", f"{name}-1", "--wait=true")
    injected.rolled_out("StatefulSet", name)
    wait_for("both devices", lambda: len(injected.online(name)) == 2)
    assert identity(injected.workspace.tailnet.devices(name)) == first

    injected.up(chart(name, sidecar=False))
    assert injected.rolled_out("StatefulSet", name)["spec"] == before
    left = [s["metadata"]["name"] for s in injected.workspace.find_all("Secret")]
    assert left == [name], "the chart's own"
