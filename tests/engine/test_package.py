"""The package for other languages: a program knows nothing but its schema, and Pulumi's engine starts its provider."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployment import APP, QUIET, Workspace
from tests.support.hidden import state_files
from tests.support.package import FOLDER, TOKEN
from tests.support.program import PROJECT, Program
from tests.support.stack import PulumiError
from tests.support.virtualenv import virtualenv

REMOTE = """\
import json
import pulumi

config = pulumi.Config()


class TailscaleSidecarStatefulSet(pulumi.ComponentResource):
    def __init__(self, name, props, opts=None):
        outputs = dict.fromkeys(["name", "namespace", "podNames", "devices"])
        super().__init__({token!r}, name, {{**outputs, **props}}, opts, remote=True)

    def __getattr__(self, name):
        return self._outputs[name]

"""


def program_of(program: Program, tmp_path: Path, inputs: dict[str, Any]) -> None:
    """Makes a program that knows the component by its schema alone."""
    pack = tmp_path / "package"
    pack.mkdir(exist_ok=True)
    for name in ("PulumiPlugin.yaml", "__main__.py"):
        (pack / name).unlink(missing_ok=True)
        (pack / name).symlink_to(FOLDER / name)
    if not (pack / "venv").exists():
        (pack / "venv").symlink_to(sys.prefix)
    plugins = f"plugins: {{providers: [{{name: tailscale-sidecar, path: {pack}}}]}}\n"
    project = program.stack.project
    (project / "Pulumi.yaml").write_text(PROJECT.format(virtualenv=virtualenv()) + plugins, encoding="utf-8")
    (project / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    (project / "__main__.py").write_text(SOURCE, encoding="utf-8")


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


def inputs(workspace: Workspace, **more: Any) -> dict[str, Any]:
    """The least on the lab."""
    return {
        "podSpec": {"containers": [APP], "terminationGracePeriodSeconds": 5},
        "namespace": workspace.namespace,
        "loginServer": workspace.tailnet.url,
        "tags": ["tag:k8s"],
        "dns": {"clusterDns": {}},
        "env": QUIET,
        "name": f"app-{workspace.namespace}",
        **more,
    }


def test_a_program_deploys_it_reads_its_devices_changes_and_destroys_it(program: Program, tmp_path: Path) -> None:
    workspace = program.workspace
    program_of(program, tmp_path, inputs(workspace, replicas=2))
    print(program.stack.preview())
    print(program.stack.up())
    print(program.stack.outputs())
    program.stack.expect_no_changes()
    assert "tskey-" not in state_files(program)
    program_of(program, tmp_path, inputs(workspace, replicas=2, namespace="default"))
    with pytest.raises(PulumiError) as error:
        program.stack.up()
    print(error.value)
    program_of(program, tmp_path, inputs(workspace, replicas=1))
    print(program.stack.up())
    print(json.dumps(program.stack.export()["app"], indent=1))
    program_of(program, tmp_path, inputs(workspace, acceptRoutes=True))
    with pytest.raises(PulumiError) as error:
        program.stack.up()
    print(error.value)
    print(program.stack.destroy())
    assert 0
