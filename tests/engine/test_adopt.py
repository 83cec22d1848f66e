"""StatefulSets from the guide are taken over by running what `adopt` prints: as the same devices, and none beside them."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tailscale_sidecar import InPodSplitDns
from tests.lab import settings
from tests.support.guide import Guide
from tests.support.program import Component, Program
from tests.support.stack import NAME, PASSPHRASE
from tests.support.subjects import await_up

Json = dict[str, Any]
Change = Callable[[Json], object]


@dataclass
class Adoption:
    """A StatefulSet from the guide, and the program that takes it over."""

    program: Program
    guide: Guide
    option: str = ""
    """Of `kubectl apply`, by which its author deployed it."""
    objects: list[Json] = field(default_factory=list)

    @staticmethod
    def of(program: Program, change: Change = lambda _: None, option: str = "") -> Adoption:
        """Deploys the guide's manifest, with a change to its StatefulSet."""
        workspace = program.workspace
        given = workspace.arguments(replicas=2, dns=InPodSplitDns(), accept_routes=True)
        guide = Guide(workspace, f"app-{secrets.token_hex(2)}", given)
        found = Adoption(program, guide, option, guide.objects)
        change(found.stateful_set)
        program.components[guide.name] = given
        workspace.lab.add_volumes(2 * len(found.stateful_set["spec"].get("volumeClaimTemplates", ())))
        found.deploy()
        return found

    @property
    def stateful_set(self) -> Json:
        """As its author wrote it."""
        (found,) = [item for item in self.objects if item["kind"] == "StatefulSet"]
        return found

    def deploy(self) -> None:
        """As its author does."""
        everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": self.objects})
        self.guide.workspace.kubectl("apply", *self.option.split(), "--filename=-", stdin=everything)
        await_up(self.guide)

    @property
    def app(self) -> Component:
        """Its replicas."""
        return Component(self.program, self.guide.name)

    @property
    def logins(self) -> int:
        """How often a token or a key was asked for."""
        return len(self.guide.credential_requests())

    def adopt(self) -> list[str]:
        """Runs `adopt`; returns the commands that it prints."""
        folder = self.program.stack.project
        target = f"{self.guide.workspace.namespace}/{self.guide.name}"
        # No object of the lab's cluster names its pods' CIDRs.
        cidrs = [f"--cluster-cidr={family.pods}" for family in settings.FAMILIES]
        printed = self.run(
            sys.executable, "-m", "tailscale_sidecar", "adopt", target, "--import-file=import.json", *cidrs
        )
        (folder / "__main__.py").write_text(printed.stdout, encoding="utf-8")
        return [line for line in printed.stderr.splitlines() if not line.startswith("#")]

    def shell(self, command: str) -> str:
        """Runs a command that was printed; returns what it prints."""
        return self.run("bash", "-euo", "pipefail", "-c", command).stdout

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a program as a person does, who agrees to whatever Pulumi asks."""
        stack = self.program.stack
        done = subprocess.run(
            command, cwd=stack.project, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    @property
    def environment(self) -> Mapping[str, str]:
        """Of these programs."""
        stack = self.program.stack
        own = stack.cli.environment(stack.environment, state=stack.state, passphrase=PASSPHRASE)
        return {**own, "PULUMI_SKIP_CONFIRMATIONS": "true", "PULUMI_STACK": NAME}

    def live(self) -> Json:
        """The StatefulSet as it is."""
        return self.guide.workspace.get("StatefulSet", self.guide.name)

    def devices(self) -> tuple[dict[str, tuple[str, ...]], int]:
        """What the tailnet knows the replicas by, and how often a token or a key was asked for."""
        found = {d.hostname: (d.id, d.node_key, *d.addresses) for d in self.guide.devices()}
        assert len(found) == len(self.guide.devices()) == self.guide.replicas
        return found, self.logins

    def app_containers(self) -> list[Json]:
        """The author's containers as they are."""
        return [c for c in self.live()["spec"]["template"]["spec"]["containers"] if c["name"] != "tailscale"]


APPLIES = ("", "--server-side", "--field-manager=helm")
"""How the manifest may have been deployed, as options of `kubectl apply`."""


@pytest.mark.usefixtures("released_provider")  # the one that builds does not wait for a roll-out
@pytest.mark.parametrize("option", [pytest.param(one, marks=pytest.mark.soak if one else ()) for one in APPLIES])
def test_the_guides_replicas_are_the_same_devices_when_the_printed_commands_have_run(
    program: Program, option: str
) -> None:
    adoption = Adoption.of(program, option=option)
    app = adoption.app
    first, pods, live = (app.identities(), adoption.devices()), app.pods(), adoption.live()
    *before, up = adoption.adopt()
    for command in before:
        adoption.shell(command)
    assert adoption.live()["metadata"]["generation"] == live["metadata"]["generation"]
    assert adoption.shell(up.replace("pulumi up", "pulumi preview"))
    assert app.pods() == pods, "nothing has changed yet"

    adoption.shell(up)
    program.stack.expect_no_changes()
    assert (app.identities(), adoption.devices()) == first
    assert not set(app.pods().values()) & set(pods.values())
    assert adoption.live()["metadata"]["uid"] == live["metadata"]["uid"]

    program.stack.refresh()
    program.stack.expect_no_changes()
    file = program.stack.project / "__main__.py"
    text = file.read_text(encoding="utf-8")
    assert '"terminationGracePeriodSeconds": 5' in text
    file.write_text(text.replace('"terminationGracePeriodSeconds": 5', '"terminationGracePeriodSeconds": 4'), "utf-8")
    program.stack.up()
    program.stack.expect_no_changes()
    assert (app.identities(), adoption.devices()) == first


def hand_made(stateful_set: Json) -> None:
    """With what Kubernetes cannot change, all of it other than the component's own."""
    name = stateful_set["metadata"]["name"]
    labels = {"app.kubernetes.io/name": name}
    spec = stateful_set["spec"]
    spec |= {"podManagementPolicy": "Parallel", "serviceName": f"{name}-pods", "selector": {"matchLabels": labels}}
    spec |= {"minReadySeconds": 1, "volumeClaimTemplates": [claim("data")]}
    spec["template"]["metadata"]["labels"] = labels
    app = spec["template"]["spec"]["containers"][-1]
    app["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    app["env"] = [{"name": "DB_PASSWORD", "value": "hunter2"}]


def claim(name: str) -> Json:
    requests = {"requests": {"storage": "1Mi"}}
    return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": requests}}


@pytest.mark.soak
def test_what_kubernetes_cannot_change_stays_and_nothing_is_replaced(program: Program) -> None:
    adoption = Adoption.of(program, hand_made)
    name, workspace = adoption.guide.name, program.workspace
    port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
    spec = {"ports": [port], "selector": {"app.kubernetes.io/name": name}}
    workspace.apply([{"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}])
    kept = ("podManagementPolicy", "serviceName", "selector", "minReadySeconds", "volumeClaimTemplates")
    first, live, service = adoption.devices(), adoption.live(), workspace.get("Service", name)

    for command in adoption.adopt():
        adoption.shell(command)
    program.stack.expect_no_changes()
    now = adoption.live()
    assert now["metadata"]["uid"] == live["metadata"]["uid"]
    assert {field: now["spec"][field] for field in kept} == {field: live["spec"][field] for field in kept}
    assert workspace.get("Service", name)["spec"] == service["spec"]
    (app,) = adoption.app_containers()
    assert app["env"] == [{"name": "DB_PASSWORD", "value": "hunter2"}]
    assert adoption.devices() == first


MOVES: dict[str, Change] = {
    "Secrets of other names": lambda made: with_state(made, TS_KUBE_SECRET="ts-$(POD_NAME)"),
    "the root of the component's claim": lambda made: with_claim(made, "tailscale-state"),
    "a claim of another name": lambda made: with_claim(made, "state"),
}


def with_state(stateful_set: Json, **variables: str) -> Json:
    """Says where the state is; returns the sidecar."""
    sidecar: Json = stateful_set["spec"]["template"]["spec"]["containers"][0]
    others = [v for v in sidecar["env"] if v["name"] not in variables]
    sidecar["env"] = [*others, *({"name": name, "value": value} for name, value in variables.items())]
    return sidecar


def with_claim(stateful_set: Json, name: str) -> None:
    """State on a volume claim of each replica's."""
    sidecar = with_state(stateful_set, TS_KUBE_SECRET="", TS_STATE_DIR="/var/lib/tailscale")
    sidecar["volumeMounts"] = [{"name": name, "mountPath": "/var/lib/tailscale"}]
    stateful_set["spec"]["volumeClaimTemplates"] = [claim(name)]


@pytest.mark.soak
@pytest.mark.parametrize("where", MOVES)
def test_state_that_is_elsewhere_is_brought_along(program: Program, where: str) -> None:
    adoption = Adoption.of(program, MOVES[where])
    first = adoption.devices()
    for command in adoption.adopt():
        adoption.shell(command)
    program.stack.expect_no_changes()
    assert adoption.devices() == first
