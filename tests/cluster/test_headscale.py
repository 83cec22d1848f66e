"""Replicas on a Headscale: they register, have names, come back, and what it refuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from tailscale_sidecar import AuthKey
from tailscale_sidecar.devices.cleanup_provider import DeviceCleanupProvider
from tailscale_sidecar.render.render import render
from tests.lab import Lab
from tests.lab.headscale_server import DOMAIN, Headscale
from tests.support.deployment import Deployment, Workspace
from tests.support.doctor import await_finding, doctor, target
from tests.support.examples import EXAMPLES, on_the_lab
from tests.support.headscale import arguments
from tests.support.look_ups import everywhere, look_up
from tests.support.sidecar import identity

pytestmark = pytest.mark.wide

TAG = "tag:k8s"


@pytest.fixture(scope="module")
def app(shared_workspace_on_headscale: Workspace, headscale: Headscale) -> Deployment:
    return shared_workspace_on_headscale.deploy(**arguments(headscale, replicas=2))


def test_each_replica_registers_as_a_node_that_is_called_like_its_pod(app: Deployment) -> None:
    assert [node.fqdn for node in app.devices()] == [f"{app.pod(0)}.{DOMAIN}", f"{app.pod(1)}.{DOMAIN}"]
    assert [node.online for node in app.devices()] == [True, True]


def test_the_app_finds_names_of_cluster_tailnet_and_world(app: Deployment) -> None:
    other = app.device(1)
    assert look_up(app, other.fqdn) == everywhere(other.addresses[0])
    assert look_up(app, f"nobody.{DOMAIN}") == everywhere("NXDOMAIN")
    assert look_up(app, "kubernetes.default") == everywhere("10.96.0.1")
    assert look_up(app, "known.example.test") == everywhere("192.0.2.10")


def test_a_replica_reaches_another_over_the_tailnet(app: Deployment) -> None:
    other = app.device(1)
    assert app.pod(1) in app.exec("fetch", "-timeout", "10s", f"http://{other.fqdn}/")


def test_deleted_pods_come_back_as_the_same_nodes(app: Deployment) -> None:
    before = identity(app.devices())
    app.delete_pods(0, 1)
    assert identity(app.devices()) == before


def test_a_tagged_key_gives_its_tags(shared_workspace_on_headscale: Workspace, headscale: Headscale) -> None:
    key = AuthKey(auth_key=headscale.auth_key(reusable=True, aclTags=[TAG]))
    app = shared_workspace_on_headscale.deploy(**arguments(headscale, auth=key))
    assert app.device().tags == (TAG,)


@pytest.mark.filterwarnings("ignore:tags with login_server and an AuthKey")
@pytest.mark.parametrize("own", [[TAG], []], ids=["tagged", "untagged"])
def test_tags_beside_a_key_are_refused_until_they_are_left_out_and_doctor_says_so(
    shared_workspace_on_headscale: Workspace, headscale: Headscale, own: list[str]
) -> None:
    key = AuthKey(auth_key=headscale.auth_key(reusable=True, aclTags=own))
    app = shared_workspace_on_headscale.deploy(wait=False, **arguments(headscale, auth=key, tags=[TAG]))
    await_finding(app, "tags-refused")
    (found,) = [f for f in doctor(app.workspace, target(app))["findings"] if f["name"] == "tags-refused"]
    assert "leave tags out" in found["do"]
    app.change(tags=[], wait=False)
    app.workspace.kubectl("delete", "pod", app.pod())  # a StatefulSet does not replace a pod that was never ready
    app.await_ready()
    assert app.device().tags == tuple(own)


# The replicas that go


def clean_up(app: Deployment, ordinal: int, **changes: Any) -> None:
    """Deletes a replica's clean-up as the engine does, with the properties that the component stores."""
    stored = {
        "namespace": app.workspace.namespace,
        "stateful_set": app.name,
        "ordinal": float(ordinal),
        "service_uid": app.workspace.get("Service", app.name)["metadata"]["uid"],
        "secret_is_ours": True,
        "api_url": app.workspace.tailnet.url,
        "kubeconfig": str(app.workspace.lab.kubeconfig),
        "retain": False,
        **changes,
    }
    DeviceCleanupProvider().delete("", stored)


def scaled_down(app: Deployment) -> list[str]:
    """Ends all pods; returns the IDs of the nodes, which stay."""
    ids = [node.id for node in app.devices()]
    app.workspace.kubectl("scale", f"statefulset/{app.name}", "--replicas=0")
    app.wait_for("the pods to end", lambda: app.workspace.find_all("Pod", f"app={app.name}") == [])
    return ids


def nodes(headscale: Headscale, app: Deployment) -> list[str]:
    """The IDs of the nodes that have the host names of an app's pods."""
    return [node.id for node in headscale.devices(app.name)]


def names(headscale: Headscale, app: Deployment) -> dict[str, str]:
    """The names of these nodes, by their IDs."""
    return {node.id: node.fqdn for node in headscale.devices(app.name)}


def test_a_replica_that_goes_takes_its_node_along_and_no_other_of_its_host_name(
    shared_workspace_on_headscale: Workspace, lab: Lab, headscale: Headscale
) -> None:
    app = shared_workspace_on_headscale.deploy(**arguments(headscale))
    (before,) = nodes(headscale, app)
    with Workspace.temporary(lab, headscale) as elsewhere:
        other = Deployment(elsewhere, app.name, elsewhere.arguments(**arguments(headscale)))
        other.apply()
        own, others = sorted(nodes(headscale, app), key=int)
        assert own == before
        assert names(headscale, app) == {own: f"{app.pod()}.{DOMAIN}", others: f"{app.pod()}-1.{DOMAIN}"}
        headscale.call("POST", f"/api/v1/node/{own}/rename/renamed")
        app.workspace.kubectl("scale", f"statefulset/{app.name}", "--replicas=0")
        clean_up(app, 0, headscale_api_key=headscale.api_key)
        assert nodes(headscale, app) == [others]
        clean_up(app, 0, headscale_api_key=headscale.api_key)
        assert nodes(headscale, app) == [others], "what is gone already is well"


@pytest.mark.parametrize(
    "change",
    [
        {"op": "remove", "path": "/data/device_id"},
        {"op": "replace", "path": "/data/device_id", "value": base64.b64encode(b"n1CNTRL").decode()},
    ],
    ids=["no ID recorded", "an ID of another control plane's"],
)
def test_a_node_without_a_right_id_is_found_by_its_keys(
    shared_workspace_on_headscale: Workspace, headscale: Headscale, change: dict[str, str]
) -> None:
    app = shared_workspace_on_headscale.deploy(**arguments(headscale))
    scaled_down(app)
    app.workspace.kubectl("patch", "secret", app.pod(), "--type=json", "--patch", json.dumps([change]))
    clean_up(app, 0, headscale_api_key=headscale.api_key)
    assert nodes(headscale, app) == []


def test_a_key_that_is_no_good_leaves_the_node_and_is_not_shown_until_the_environment_has_a_better_one(
    shared_workspace_on_headscale: Workspace, headscale: Headscale, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = shared_workspace_on_headscale.deploy(**arguments(headscale))
    ids = scaled_down(app)
    with pytest.raises(RuntimeError, match=f"device {ids[0]} of .*: 401 Unauthorized") as failure:
        clean_up(app, 0, headscale_api_key="hskey-api-x-s3cr3t")
    assert "s3cr3t" not in str(failure.value)
    assert "TAILSCALE_SIDECAR_CLEANUP_HEADSCALE_API_KEY" in str(failure.value)
    assert nodes(headscale, app) == ids
    monkeypatch.setenv("TAILSCALE_SIDECAR_CLEANUP_HEADSCALE_API_KEY", headscale.api_key)
    clean_up(app, 0, headscale_api_key="hskey-api-x-s3cr3t")
    assert nodes(headscale, app) == []


def test_what_is_no_headscale_does_not_pass_for_one_without_the_node(
    shared_workspace_on_headscale: Workspace, lab: Lab, headscale: Headscale
) -> None:
    app = shared_workspace_on_headscale.deploy(**arguments(headscale))
    scaled_down(app)
    with pytest.raises(RuntimeError, match="this is no Headscale"):
        clean_up(app, 0, headscale_api_key=headscale.api_key, api_url=lab.tailnet_url)


def test_the_example_comes_up(shared_workspace_on_headscale: Workspace, headscale: Headscale) -> None:
    workspace = shared_workspace_on_headscale
    config = {
        "authKey": headscale.auth_key(reusable=True),
        "baseDomain": DOMAIN,
        "headscaleApiKey": headscale.api_key,
        "loginServer": headscale.url,
    }
    shown = render(EXAMPLES["headscale"], namespace=workspace.namespace, config=config, show_secrets=True)
    workspace.apply([on_the_lab(found, headscale.url) for found in yaml.safe_load_all(shown)])
    workspace.kubectl("rollout", "status", "statefulset/headscale", "--timeout=120s")
    assert [node.online for node in headscale.devices("headscale-")] == [True, True]
