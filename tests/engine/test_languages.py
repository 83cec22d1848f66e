"""The programs in TypeScript, Go, YAML and Python with the package, deployed by Pulumi's engine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tailscale_sidecar.package.spelling import camel_case
from tests import sdks
from tests.lab.images import APP_IMAGE
from tests.lab.settings import TAILNET_URL
from tests.support.cleanup_credential import Credential
from tests.support.deployment import Workspace
from tests.support.languages import go_host, node_host, on_the_lab, with_host, yaml_host
from tests.support.program import PROJECT
from tests.support.pulumi_cli import PulumiCli
from tests.support.stack import Stack
from tests.support.virtualenv import virtualenv

pytestmark = pytest.mark.wide

IN_PYTHON = f"""\
import pulumi
from tailscale_sidecar import OAuthClient, TailscaleSidecarStatefulSet, TailscaleSidecarStatefulSetArgs

config = pulumi.Config()
app = TailscaleSidecarStatefulSet(
    "my-app",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={{"containers": [{{"name": "app", "image": "{APP_IMAGE}"}}]}},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        replicas=2,
        tags=["tag:k8s"],
        login_server="{TAILNET_URL}",
    ),
)
pulumi.export("devices", app.devices)
"""
"""What the quickstart of the package is, without it."""
PROGRAM = pytest.mark.parametrize("program", sdks.PROGRAMS)
Deploy = Callable[[str, str, Mapping[str, str]], None]


@pytest.fixture
def deploy(workspace: Workspace, cli: PulumiCli, plugins: str, tmp_path: Path) -> Deploy:
    """Deploys what is in the folder of the project, says that all is as the program asked for, and destroys it."""

    def deployed(program: str, project: str, environment: Mapping[str, str]) -> None:
        folder, tailnet = tmp_path / "project", workspace.tailnet
        (folder / "Pulumi.yaml").write_text(project + plugins, encoding="utf-8")
        stack = Stack(cli, folder, environment)
        secrets = {"clientSecret": tailnet.oauth_client()[1], "cleanupSecret": Credential.create(tailnet).secret}
        stack.init(**secrets, **{"kubernetes:namespace": workspace.namespace})
        try:
            stack.up()
            name = {"quickstart": "my-app", "fleet": "store"}[program]
            # In Python, outputs are in snake_case.
            devices = [{camel_case(key): value for key, value in one.items()} for one in stack.outputs()["devices"]]
            assert [device["pod"] for device in devices] == [f"{name}-0", f"{name}-1"]
            known = {device.id: device.addresses for device in tailnet.devices(name)}
            assert all(known[device["deviceId"]] == (device["ipv4"], device["ipv6"]) for device in devices)
            if program == "fleet":
                pods = {pod["metadata"]["name"] for pod in workspace.find_all("Pod", "app=web")}
                assert len(pods) == 2
                assert pods <= {device.hostname for device in tailnet.devices("web")}
            stack.expect_no_changes()
        finally:
            stack.destroy()
        left = {device.id for device in tailnet.devices(name)} & {device["deviceId"] for device in devices}
        assert len(left) == (0 if program == "fleet" else 2), "those of the fleet are cleaned up"

    (tmp_path / "project").mkdir()
    return deployed


@PROGRAM
def test_in_typescript(
    program: str, deploy: Deploy, cli: PulumiCli, workspace: Workspace, node_sdk: Path, tmp_path: Path
) -> None:
    (tmp_path / "project" / "index.js").symlink_to(node_sdk / program / "index.js")
    (tmp_path / "project" / "node_modules").symlink_to(node_sdk / "node_modules")
    environment = with_host(cli, "nodejs", workspace.lab.environment(), node_host(node_sdk), tmp_path)
    deploy(program, f"name: {program}\nruntime: nodejs\n", environment)


@PROGRAM
def test_in_go(
    program: str, deploy: Deploy, cli: PulumiCli, workspace: Workspace, go_sdk: Path, tmp_path: Path
) -> None:
    binary = go_sdk / "bin" / program
    environment = with_host(cli, "go", workspace.lab.environment(), go_host(), tmp_path)
    deploy(program, f"name: {program}\nruntime: {{name: go, options: {{binary: {binary}}}}}\n", environment)


@PROGRAM
def test_in_yaml(
    program: str, deploy: Deploy, cli: PulumiCli, workspace: Workspace, yaml_program: Path, tmp_path: Path
) -> None:
    environment = with_host(cli, "yaml", workspace.lab.environment(), yaml_host(yaml_program), tmp_path)
    deploy(program, on_the_lab(sdks.source("yaml", program).read_text(encoding="utf-8")), environment)


@PROGRAM
def test_in_python_with_the_package(
    program: str, deploy: Deploy, workspace: Workspace, python_sdk: Path, tmp_path: Path
) -> None:
    (tmp_path / "project" / "__main__.py").symlink_to(python_sdk / program / "__main__.py")
    environment = {**workspace.lab.environment(), "PYTHONPATH": str(python_sdk / "site")}
    deploy(program, PROJECT.format(virtualenv=virtualenv()), environment)


def test_a_stack_moves_from_the_library_to_the_package_and_back(
    workspace: Workspace, cli: PulumiCli, plugins: str, python_sdk: Path, tmp_path: Path
) -> None:
    program = tmp_path / "project" / "__main__.py"
    program.parent.mkdir()
    program.with_name("Pulumi.yaml").write_text(PROJECT.format(virtualenv=virtualenv()) + plugins, encoding="utf-8")
    environment = {**workspace.lab.environment(), "PYTHONPATH": str(python_sdk / "site")}
    stack = Stack(cli, program.parent, environment)
    stack.init(clientSecret=workspace.tailnet.oauth_client()[1], **{"kubernetes:namespace": workspace.namespace})
    with_the_package = (python_sdk / "quickstart" / "__main__.py").read_text(encoding="utf-8")
    name = f"moves-{secrets.token_hex(2)}"  # other programs have the quickstart's
    seen = []
    for text in (IN_PYTHON, with_the_package, IN_PYTHON):
        program.write_text(text.replace("my-app", name), encoding="utf-8")
        stack.up()
        stack.expect_no_changes()
        pods = [pod["metadata"]["uid"] for pod in workspace.find_all("Pod")]
        seen.append((pods, [device.id for device in workspace.tailnet.devices(name)]))
    stack.destroy()
    assert seen[0] == seen[1] == seen[2], "no pod was replaced, and no device"
