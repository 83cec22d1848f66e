"""Replicas on a Headscale: they register, have names, come back, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tailscale_sidecar import AuthKey, InPodSplitDns
from tests.cluster.test_dns import everywhere, look_up
from tests.lab.headscale_server import DOMAIN, TAG, Headscale
from tests.support.deployment import Deployment, Workspace
from tests.support.doctor import await_finding, doctor, target
from tests.support.sidecar import identity


def arguments(headscale: Headscale, **changes: Any) -> dict[str, Any]:
    """The component's arguments that another control plane takes, with changes."""
    auth = AuthKey(auth_key=headscale.auth_key(reusable=True))
    return {"auth": auth, "tags": [], "dns": InPodSplitDns(tailnet_domains=[DOMAIN]), **changes}


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
def test_a_key_without_tags_may_ask_for_those_that_its_user_owns(
    shared_workspace_on_headscale: Workspace, headscale: Headscale
) -> None:
    app = shared_workspace_on_headscale.deploy(**arguments(headscale, tags=[TAG]))
    assert app.device().tags == (TAG,)


@pytest.mark.filterwarnings("ignore:tags with login_server and an AuthKey")
def test_tags_beside_a_tagged_key_are_refused_until_they_are_left_out_and_doctor_says_so(
    shared_workspace_on_headscale: Workspace, headscale: Headscale
) -> None:
    key = AuthKey(auth_key=headscale.auth_key(reusable=True, aclTags=[TAG]))
    app = shared_workspace_on_headscale.deploy(wait=False, **arguments(headscale, auth=key, tags=[TAG]))
    await_finding(app, "tags-refused")
    (found,) = [f for f in doctor(app.workspace, target(app))["findings"] if f["name"] == "tags-refused"]
    assert "leave tags out" in found["do"]
    app.change(tags=[])
    assert app.device().tags == (TAG,)
