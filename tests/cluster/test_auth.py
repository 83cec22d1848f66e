"""Every way to log in, against a control plane that checks credentials, scopes, tags and attributes."""

from __future__ import annotations

import pytest

from tailscale_sidecar import AuthKey, EmptyDirState, OAuthClient, WorkloadIdentity
from tests.lab import Lab
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Workspace


@pytest.mark.matrix
def test_an_oauth_client_registers_both_replicas_as_lasting_devices_with_their_tags(workspace: Workspace) -> None:
    app = workspace.deploy(replicas=2)
    assert [(d.hostname, d.tags, d.ephemeral, d.preauthorized) for d in app.devices()] == [
        (app.pod(0), ("tag:k8s",), False, True),
        (app.pod(1), ("tag:k8s",), False, True),
    ]


def test_devices_are_ephemeral_where_the_state_does_not_outlive_the_pod(workspace: Workspace) -> None:
    assert workspace.deploy(state=EmptyDirState()).device().ephemeral


def test_the_users_own_choice_of_ephemeral_wins(workspace: Workspace, tailnet: Tailnet) -> None:
    assert workspace.deploy(auth=workspace.oauth(ephemeral=True)).device().ephemeral
    _, secret = tailnet.oauth_client()
    chosen = workspace.deploy(auth=OAuthClient(client_secret=f"{secret}&ephemeral=true"))
    assert chosen.device().ephemeral
    assert chosen.device().preauthorized


def test_attributes_are_added_to_an_existing_secret_that_pulumi_never_reads(
    workspace: Workspace, tailnet: Tailnet
) -> None:
    _, secret = tailnet.oauth_client()
    workspace.kubectl("create", "secret", "generic", "mine", f"--from-literal=TS_CLIENT_SECRET={secret}")
    device = workspace.deploy(auth=OAuthClient(existing_secret="mine")).device()
    assert (device.ephemeral, device.preauthorized) == (False, True)


@pytest.mark.matrix
def test_a_reusable_auth_key_registers_all_replicas_with_the_keys_own_tags(
    workspace: Workspace, tailnet: Tailnet
) -> None:
    key = tailnet.auth_key(reusable=True, preauthorized=True, tags=["tag:k8s"])
    app = workspace.deploy(auth=AuthKey(auth_key=key), tags=[], replicas=2)
    assert [(d.tags, d.ephemeral) for d in app.devices()] == [(("tag:k8s",), False)] * 2


def test_an_auth_key_in_an_existing_secret_registers_a_replica(workspace: Workspace, tailnet: Tailnet) -> None:
    key = tailnet.auth_key(preauthorized=True, tags=["tag:k8s"])
    workspace.kubectl("create", "secret", "generic", "mine", f"--from-literal=TS_AUTHKEY={key}")
    assert workspace.deploy(auth=AuthKey(existing_secret="mine"), tags=[]).device().tags == ("tag:k8s",)


def test_a_projected_token_of_the_service_account_is_exchanged_for_a_lasting_device(
    workspace: Workspace, lab: Lab, tailnet: Tailnet
) -> None:
    identity = tailnet.call(
        "POST",
        "/lab/federated-identities",
        {
            "issuer": lab.api_server,
            "subject": f"system:serviceaccount:{workspace.namespace}:*",
            "audience": "tailnet.example.com/lab",
            "jwks_url": f"{lab.api_server}/openid/v1/jwks",
            "scopes": ["auth_keys"],
            "tags": ["tag:k8s"],
        },
    )
    audience = identity["audience"]
    workspace.kubectl("create", "secret", "generic", "mine", f"--from-literal=TS_CLIENT_ID={identity['client_id']}")
    ways = (
        WorkloadIdentity(client_id=identity["client_id"], audience=audience, token="projected"),
        WorkloadIdentity(existing_secret="mine", audience=audience, token="projected"),
    )
    for app in [workspace.deploy(auth=auth, replicas=2, wait=False) for auth in ways]:
        app.await_ready()
        assert [(d.tags, d.ephemeral, d.preauthorized) for d in app.devices()] == [(("tag:k8s",), False, True)] * 2


def test_the_credential_is_in_no_process_argument_and_no_log(workspace: Workspace) -> None:
    auth = workspace.oauth()
    app = workspace.deploy(auth=auth)
    secret = str(auth.client_secret).partition("?")[0]
    arguments = app.exec("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ", container="tailscale")
    assert secret not in arguments
    assert secret not in app.logs()
