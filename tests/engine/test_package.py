"""The package for other languages: a program knows nothing but its schema, and Pulumi's engine starts its provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.deployment import APP, QUIET
from tests.support.hidden import state_files
from tests.support.package import TOKEN
from tests.support.program import PROJECT, Program
from tests.support.stack import PulumiError
from tests.support.virtualenv import virtualenv

SOURCE = f"""\
import json
import pulumi
from pathlib import Path

config = pulumi.Config()


class TailscaleSidecarStatefulSet(pulumi.ComponentResource):
    def __init__(self, name, props, opts=None):
        outputs = ["name", "namespace", "podNames", "devices", "statefulSet"]
        super().__init__({TOKEN!r}, name, {{**dict.fromkeys(outputs), **props}}, opts, remote=True)


inputs = json.loads(Path("inputs.json").read_text())
client = {{"clientId": config.require("clientId"), "clientSecret": config.require_secret("clientSecret")}}
app = TailscaleSidecarStatefulSet("app", {{"auth": {{"oauthClient": client}}, **inputs}})
for output in ("name", "namespace", "podNames", "devices"):
    pulumi.export(output, getattr(app, output, None))
"""


@pytest.fixture
def remote(program: Program, plugins: str) -> Program:
    """A program that knows the component by its schema alone, and gives it the inputs of a file."""
    project = program.stack.project
    (project / "Pulumi.yaml").write_text(PROJECT.format(virtualenv=virtualenv()) + plugins, encoding="utf-8")
    (project / "__main__.py").write_text(SOURCE, encoding="utf-8")
    return program


def give(program: Program, **more: Any) -> None:
    """Gives it the least on the lab, and more."""
    workspace = program.workspace
    least = {
        "podSpec": {"containers": [APP], "terminationGracePeriodSeconds": 5},
        "namespace": workspace.namespace,
        "loginServer": workspace.tailnet.url,
        "tags": ["tag:k8s"],
        "dns": {"clusterDns": {}},
        "env": QUIET,
        "name": f"app-{workspace.namespace}",
    }
    (program.stack.project / "inputs.json").write_text(json.dumps({**least, **more}), encoding="utf-8")


def test_a_program_that_knows_the_schema_alone_deploys_it_and_has_its_devices(remote: Program) -> None:
    workspace, stack = remote.workspace, remote.stack
    give(remote, replicas=2)
    stack.up()
    name = f"app-{workspace.namespace}"
    outputs = stack.outputs()
    devices = {device["pod"]: device for device in outputs.pop("devices")}
    assert outputs == {"name": name, "namespace": workspace.namespace, "podNames": [f"{name}-0", f"{name}-1"]}
    assert {pod: (found["deviceId"], found["ipv4"], found["ipv6"]) for pod, found in devices.items()} == {
        device.hostname: (device.id, *device.addresses) for device in workspace.tailnet.devices(name)
    }
    stack.expect_no_changes()
    assert stack.export()["app"]["outputs"]["podNames"] == outputs["podNames"]
    assert "tskey-" not in state_files(remote)

    # What would lose the identities is refused as in Python, and what is wrong by its name in the package.
    give(remote, replicas=2, namespace="default")
    with pytest.raises(
        PulumiError, match=r"namespace changes from .* but the replicas' state cannot move.* Keep namespace: '"
    ):
        stack.up()
    give(remote, acceptRoutes=True)
    with pytest.raises(PulumiError, match="resource 'app' has a problem: clusterCidrs is required with acceptRoutes"):
        stack.up()

    give(remote, replicas=1)
    stack.up()
    assert [device["pod"] for device in stack.outputs()["devices"]] == [f"{name}-0"]
    stack.destroy()
    assert workspace.find_all("StatefulSet") == []
