"""Pods that an earlier build made become this one's: the same devices, with one new pod for each replica."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tailscale_sidecar import ClusterDns, SplitDns, UserspaceNetworking
from tailscale_sidecar.pod.contract import TAILSCALE_IMAGE
from tests import golden
from tests.support.build_before import EARLIER_BUILDS
from tests.support.deployment import APP, QUIET, Deployment, Workspace

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "quickstart": {},
    "split_dns": {"dns": SplitDns()},
    "cluster_dns": {"dns": ClusterDns()},
    "userspace": {"networking": UserspaceNetworking(), "dns": ClusterDns()},
}


@pytest.mark.parametrize("build", EARLIER_BUILDS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_upgrade_keeps_every_device_and_replaces_each_pod_once(
    workspace: Workspace, build: str, example: str
) -> None:
    app = Deployment(workspace, f"old-{secrets.token_hex(2)}", workspace.arguments(replicas=2, **EXAMPLES[example]))
    deploy_as_of(build, example, app)
    before, old_pods = identities(app), {app.uid(ordinal) for ordinal in range(2)}
    app.apply()
    assert identities(app) == before
    assert not old_pods & {app.uid(ordinal) for ordinal in range(2)}
    assert [app.restarts(ordinal) for ordinal in range(2)] == [0, 0]
    revisions = workspace.kubectl("get", "controllerrevisions", "--output=name").split()
    assert len(revisions) == 2  # nothing came between the old template and the new one


def identities(app: Deployment) -> list[tuple[Any, ...]]:
    devices = [app.device(ordinal) for ordinal in range(2)]
    return [(device.id, device.node_key, device.addresses, device.logins) for device in devices]


def deploy_as_of(build: str, example: str, app: Deployment) -> None:
    """Deploys what an earlier build made of an example; the images and the control plane are the lab's."""
    objects = app.objects
    (stateful_set,) = [found for found in objects if found["kind"] == "StatefulSet"]
    stateful_set["spec"]["template"] = template_of(build, example, app)
    app.workspace.apply(objects)
    app.await_ready()


def template_of(build: str, example: str, app: Deployment) -> dict[str, Any]:
    old = yaml.safe_load((Path(golden.__file__).parent / build / f"{example}.yaml").read_text(encoding="utf-8"))
    text = json.dumps(old["spec"]["template"]).replace(old["metadata"]["name"], app.name)
    template: dict[str, Any] = json.loads(text)
    spec = template["spec"]
    spec["containers"] = [{**spec["containers"][0], **APP, "env": [{"name": "PORT", "value": "8080"}]}]
    spec["terminationGracePeriodSeconds"] = 5
    for container in spec["initContainers"]:
        if "tailscale/tailscale" in container["image"]:
            container["image"] = TAILSCALE_IMAGE
        variables = container.get("env", [])
        variables += [{"name": name, "value": value} for name, value in QUIET.items()]
        for variable in variables:
            if variable["name"] == "TS_EXTRA_ARGS":
                flags = [flag for flag in variable["value"].split() if not flag.startswith("--login-server=")]
                variable["value"] = " ".join([*flags, f"--login-server={app.workspace.tailnet.url}"])
    return template
