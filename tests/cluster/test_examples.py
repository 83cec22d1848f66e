"""Every example is accepted by a real API server, and those that need no cloud come up on the lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tailscale_sidecar.render.render import render
from tests.lab import Lab
from tests.lab.images import APP_IMAGE
from tests.lab.shell import wait_for
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Workspace
from tests.support.examples import EXAMPLES as RENDERED
from tests.support.examples import NEEDS_HEADSCALE, NEEDS_PULUMI, on_the_lab, workload

EXAMPLES = sorted(RENDERED.keys() - {*NEEDS_PULUMI, *NEEDS_HEADSCALE})  # which other tests deploy
NEEDS_A_CLOUD = ("workload_identity_aws", "workload_identity_google")


def configuration(workspace: Workspace, lab: Lab, tailnet: Tailnet) -> dict[str, str]:
    """What the examples ask of `pulumi config`, made on the lab."""
    identity = tailnet.call(
        "POST",
        "/lab/federated-identities",
        {
            "issuer": lab.api_server,
            "subject": f"system:serviceaccount:{workspace.namespace}:*",
            "jwks_url": f"{lab.api_server}/openid/v1/jwks",
            "scopes": ["auth_keys"],
            "tags": ["tag:k8s"],
        },
    )
    return {
        "appImage": APP_IMAGE,
        "audience": identity["audience"],
        "authKey": tailnet.auth_key(reusable=True, preauthorized=True, tags=["tag:k8s"]),
        "cleanupSecret": tailnet.oauth_client(scopes=["devices:core"])[1].partition("?")[0],
        "clientId": identity["client_id"],
        "clientSecret": tailnet.oauth_client(tags=["tag:k8s"])[1],
        "clusterCidrs": '["10.244.0.0/16", "10.96.0.0/16", "10.200.0.0/24"]',
        "loginServer": tailnet.url,
        "region": "eu-central-1",
        "roleArn": "arn:aws:iam::000000000000:role/example",
        "serviceAccount": "example@example.iam.gserviceaccount.com",
    }


@pytest.fixture
def objects(request: pytest.FixtureRequest, workspace: Workspace, lab: Lab, tailnet: Tailnet) -> list[dict[str, Any]]:
    """An example's objects, as `render` prints them."""
    program = Path(__file__).parents[2] / "examples" / request.param
    config = configuration(workspace, lab, tailnet)
    if request.param == "database":
        config["clientSecret"] = tailnet.oauth_client(tags=["tag:db"])[1]
    return list(yaml.safe_load_all(render(program, namespace=workspace.namespace, config=config, show_secrets=True)))


@pytest.mark.filterwarnings("ignore:shields_up")
@pytest.mark.parametrize("objects", EXAMPLES, indirect=True)
def test_the_api_server_accepts_the_example(workspace: Workspace, objects: list[dict[str, Any]]) -> None:
    workspace.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"),
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
    )


@pytest.mark.wide
@pytest.mark.filterwarnings("ignore:shields_up")
@pytest.mark.parametrize("objects", [name for name in EXAMPLES if name not in NEEDS_A_CLOUD], indirect=True)
def test_the_example_comes_up_on_the_lab(
    workspace: Workspace, lab: Lab, tailnet: Tailnet, objects: list[dict[str, Any]]
) -> None:
    found = workload(objects)
    kind, name, spec = found["kind"].lower(), found["metadata"]["name"], found["spec"]
    pods = spec.get("replicas", 1)
    if name == "existing-secret":
        secret = tailnet.oauth_client()[1]
        workspace.kubectl("create", "secret", "generic", "tailscale-oauth", f"--from-literal=TS_CLIENT_SECRET={secret}")
    lab.add_volumes(len(spec.get("volumeClaimTemplates", ())) * pods)
    workspace.apply([on_the_lab(found, tailnet.url) for found in objects])
    if kind == "job":
        workspace.kubectl("wait", f"job/{name}", "--for=condition=complete", "--timeout=120s")
        devices = tailnet.call("GET", "/lab/devices?all=1")
        assert [device["tags"] for device in devices if device["hostname"].startswith("job-")] == [["tag:k8s"]]
        return
    workspace.kubectl("rollout", "status", f"{kind}/{name}", "--timeout=120s")
    prefix = "batch-" if name == "outbound-only" else f"{name}-"

    def online() -> int:
        return len([device for device in tailnet.devices(prefix) if device.online])

    wait_for(f"{pods} devices {prefix}*", lambda: online() == pods)
