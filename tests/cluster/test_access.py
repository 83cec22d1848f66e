"""What a sidecar, and the app beside it, can do to the Secrets of the namespace."""

from __future__ import annotations

import pytest

from tailscale_sidecar import PersistentVolumeState, SecretState
from tailscale_sidecar.pod.contract import SERVICE_ACCOUNT_DIR
from tests.lab import LabError
from tests.support.deployment import Deployment, Workspace

TOKEN = f"{SERVICE_ACCOUNT_DIR}/token"


def as_pod(app: Deployment, ordinal: int, *command: str, stdin: str = "") -> str:
    """Runs kubectl with the token that a replica's sidecar holds."""
    token = app.exec("cat", TOKEN, ordinal=ordinal, container="tailscale")
    return app.workspace.kubectl_as(token, *command, stdin=stdin)


@pytest.mark.parametrize("access", ["scoped", "guarded", "open"])
def test_a_sidecar_keeps_its_state_in_its_own_secret(workspace: Workspace, access: str) -> None:
    app = workspace.deploy(state=SecretState(access=access), replicas=2)  # type: ignore[arg-type]
    for ordinal in range(2):
        data = workspace.get("Secret", app.pod(ordinal))["data"]
        assert {"_machinekey", "device_id", "device_fqdn", "device_ips"} <= data.keys()


def test_scoped_access_denies_every_other_secret(workspace: Workspace) -> None:
    app = workspace.deploy()
    workspace.kubectl("create", "secret", "generic", "other", "--from-literal=a=b")
    assert app.pod(0) in as_pod(app, 0, "get", "secret", app.pod(0))
    for command in (
        ("get", "secret", "other"),
        ("get", "secret", f"{app.name}-auth"),
        ("get", "secrets"),
        ("create", "secret", "generic", "new"),
        ("delete", "secret", app.pod(0)),
        ("patch", "secret", "other", "--patch={}"),
    ):
        with pytest.raises(LabError, match=r"[Ff]orbidden"):
            as_pod(app, 0, *command)


def test_the_admission_policy_lets_a_pod_write_only_its_own_state_secret(workspace: Workspace) -> None:
    app = workspace.deploy(state=SecretState(access="guarded", max_replicas=3), replicas=2)
    as_pod(app, 0, "annotate", "secret", app.pod(0), "mine=yes")
    with pytest.raises(LabError, match="named like its own pod"):
        as_pod(app, 0, "annotate", "secret", app.pod(1), "mine=no")
    with pytest.raises(LabError, match="named like its own pod"):
        as_pod(app, 0, "create", "secret", "generic", app.pod(2))
    with pytest.raises(LabError, match=r"[Ff]orbidden"):
        as_pod(app, 0, "get", "secret", f"{app.name}-auth")


def test_the_admission_policy_lets_no_pod_make_a_token_secret(workspace: Workspace) -> None:
    app = workspace.deploy(state=SecretState(access="guarded"))
    token = (
        '{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",'
        f'"metadata": {{"name": "{app.pod(0)}", "annotations": {{"kubernetes.io/service-account.name": "default"}}}}}}'
    )
    workspace.kubectl("delete", "secret", app.pod(0))
    with pytest.raises(LabError, match="must be of type Opaque"):
        as_pod(app, 0, "create", "--filename=-", stdin=token)


def test_the_app_has_no_token_and_no_way_to_the_state_by_its_own_mounts(workspace: Workspace) -> None:
    app = workspace.deploy(replicas=2)
    mounts = app.exec("cat", "/proc/mounts")
    assert "serviceaccount" not in mounts
    assert "tailscale" not in mounts.replace("/etc/resolv.conf", "")
    assert app.exec("sh", "-c", "ls /run/tailscale-sidecar /etc/tailscale-sidecar 2>/dev/null; true") == ""


def test_state_on_a_volume_is_not_mounted_in_the_app_and_needs_no_token_at_all(workspace: Workspace) -> None:
    app = workspace.deploy(state=PersistentVolumeState())
    assert "/var/lib/tailscale" not in app.exec("cat", "/proc/mounts")
    assert "serviceaccount" not in app.exec("cat", "/proc/mounts", container="tailscale")


def test_the_token_is_mounted_in_the_app_where_it_is_asked_for(workspace: Workspace) -> None:
    app = workspace.deploy(mount_token_in_app=True)
    assert app.exec("cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace") == workspace.namespace


def test_secrets_beyond_the_replicas_give_autoscalers_room(workspace: Workspace) -> None:
    app = workspace.deploy(state=SecretState(max_replicas=2))
    workspace.kubectl("scale", f"statefulset/{app.name}", "--replicas=2")
    app.await_ready()
    assert len(app.devices()) == 2
