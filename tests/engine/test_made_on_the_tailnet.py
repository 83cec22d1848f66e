"""Credentials and a split DNS route that a program makes on the tailnet itself, with Pulumi's provider for Tailscale."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import pytest

from tests.lab.images import APP_IMAGE
from tests.support.deployment import QUIET, Workspace
from tests.support.examples import EXAMPLES
from tests.support.hidden import state_files
from tests.support.program import HEAD, Program, Source

ROUTE = "SplitDnsRoute({domain!r}, ['10.96.0.10'])\n"


def example_on_the_lab(workspace: Workspace, name: str) -> str:
    """The example as it is, but for its name and the lab's image, namespace and control plane."""
    text = (EXAMPLES["created_credentials"] / "__main__.py").read_text(encoding="utf-8")
    more = f"login_server={workspace.tailnet.url!r}, namespace={workspace.namespace!r}, env={QUIET!r}"
    for old, new in {"nginx:1.29": APP_IMAGE, "replicas=2,": f"replicas=2, {more},"}.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    assert text.count('"created-credentials"') == 2
    return text.replace("created-credentials", name)


def use_provider(program: Program) -> str:
    """Gives Pulumi the lab's address, and an OAuth client that may make others; returns its ID."""
    scopes = ("auth_keys", "oauth_keys", "federated_keys", "dns")
    client_id, client_secret = program.workspace.tailnet.oauth_client(scopes=scopes)
    environment = {
        "TAILSCALE_BASE_URL": program.workspace.tailnet.url,
        "TAILSCALE_OAUTH_CLIENT_ID": client_id,
        "TAILSCALE_OAUTH_CLIENT_SECRET": client_secret.partition("?")[0],
    }
    program.stack = replace(program.stack, environment={**program.stack.environment, **environment})
    return client_id


def split_dns(workspace: Workspace) -> dict[str, Any]:
    """The split DNS routes of the tailnet."""
    return dict(workspace.tailnet.call("GET", "/lab/dns")["split"])


def all_pods(workspace: Workspace) -> set[str]:
    """The UIDs of all pods of the test's namespace."""
    return {pod["metadata"]["uid"] for pod in workspace.find_all("Pod")}


@pytest.mark.usefixtures("tailscale_provider")
def test_what_a_program_makes_on_the_tailnet_lets_its_pods_in_and_goes_with_the_stack(program: Program) -> None:
    workspace, tailnet = program.workspace, program.workspace.tailnet
    client_id = use_provider(program)
    domain = f"{workspace.namespace}.example"
    name = f"created-{secrets.token_hex(2)}"  # others may be left of an earlier run
    program.head = example_on_the_lab(workspace, name) + HEAD + ROUTE.format(domain=domain)
    by_key = program.add("key", auth=Source("AuthKey.create('key', tags=['tag:k8s'])"))
    by_token = program.add("token")
    by_token.change(
        auth=Source(
            f"WorkloadIdentity.create({by_token.name!r}, issuer={workspace.lab.api_server!r}, "
            f"namespace={workspace.namespace!r}, tags=['tag:k8s'])"
        )
    )
    program.settle()

    prefixes = {name: 2, by_key.name: 1, by_token.name: 1}
    devices = {prefix: tailnet.await_devices(prefix, count) for prefix, count in prefixes.items()}
    assert {d.tags for found in devices.values() for d in found} == {("tag:k8s",)}
    assert not any(d.ephemeral for found in devices.values() for d in found)
    made = tailnet.credentials_of(client_id)
    assert sorted(made.values()) == ["auth", "client", "federated"]
    assert split_dns(workspace)[domain] == ["10.96.0.10"]

    # A key that is no longer good is made anew, a client if asked for, and the pods that have a device do not mind.
    key, pods = program.stack.export()["key"]["id"], all_pods(workspace)
    tailnet.call("DELETE", f"/lab/auth-keys/{key}")
    replace_client = f"--replace=**:OauthClient::{name}"
    program.stack.pulumi("up", "--yes", "--skip-preview", "--refresh", replace_client)
    renewed = tailnet.credentials_of(client_id)
    assert sorted(renewed.values()) == ["auth", "client", "federated"]
    assert set(renewed) & set(made) == {name for name, kind in made.items() if kind == "federated"}
    assert all_pods(workspace) == pods

    assert "tskey-" not in state_files(program), "what Tailscale gave out is encrypted"

    program.stack.destroy()
    assert tailnet.credentials_of(client_id) == {}
    assert domain not in split_dns(workspace)
    assert "svc.cluster.local" in split_dns(workspace), "the tailnet's other routes stay"
