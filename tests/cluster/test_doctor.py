"""`doctor` on a real cluster and tailnet: nothing to say of a healthy deployment, and planted defects by their names."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import urllib.request
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from tailscale_sidecar.__main__ import main
from tests.bench import guide
from tests.faults.sidecar import Sidecar
from tests.lab import settings
from tests.lab.tailnet_client import Tailnet

from .deployment import APP, Deployment, Workspace

CLUSTER_CIDRS = ["10.244.0.0/16", "10.96.0.0/16", "10.200.0.0/24", "fd00:10:244::/64", "fd00:10:96::/112"]
QUIET_APP = {**APP, "env": [{"name": "PORT", "value": "8080"}]}


def doctor(workspace: Workspace, *arguments: str, **environment: str) -> dict[str, Any]:
    """What the command prints, as JSON; with its exit status."""
    variables = {**workspace.lab.environment(), **environment}
    # No object of the lab's cluster names its pods' CIDRs.
    cidrs = [word for family in settings.FAMILIES for word in ("--cluster-cidr", family.pods)]
    with mock.patch.dict(os.environ, variables, clear=True), contextlib.redirect_stdout(io.StringIO()) as out:
        status = main(["doctor", "--json", *cidrs, *arguments])
    return {**json.loads(out.getvalue() or "{}"), "status": status}


def names(found: dict[str, Any], *severities: str) -> set[str]:
    wanted = severities or ("error", "warning", "note")
    return {finding["name"] for finding in found["findings"] if finding["severity"] in wanted}


def by_api(tailnet: Tailnet) -> dict[str, str]:
    """A credential for the lab's API."""
    key = tailnet.call("POST", "/lab/api-keys", {})["key"]
    return {"TS_API_KEY": key, "TS_BASE_URL": tailnet.url}


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    """Two replicas."""
    return shared_workspace.deploy(replicas=2, accept_routes=True, cluster_cidrs=CLUSTER_CIDRS)


def target(app: Deployment) -> str:
    return f"{app.workspace.namespace}/{app.name}"


def test_a_healthy_deployment_has_no_finding(app: Deployment) -> None:
    found = doctor(app.workspace, target(app), "--strict")
    assert (found["findings"], found["not_looked_at"], found["status"]) == ([], [], 0)
    replicas = found["workloads"][0]["replicas"]
    assert [(r["device_id"], r["node_key"], r["online"]) for r in replicas] == [
        (app.device(ordinal).id, app.device(ordinal).node_key, True) for ordinal in (0, 1)
    ]


def test_with_a_credential_for_the_api_it_looks_there_too(app: Deployment, tailnet: Tailnet) -> None:
    found = doctor(app.workspace, target(app), "--strict", **by_api(tailnet))
    assert (found["findings"], found["status"]) == ([], 0)
    assert [gap["what"] for gap in found["not_looked_at"]] == ["tag owners"]  # the lab has no policy


def test_a_route_over_the_cluster_is_named_with_its_device_and_that_it_is_kept_out(
    app: Deployment, tailnet: Tailnet
) -> None:
    router = f"office-{secrets.token_hex(2)}"
    with tailnet.router(router, ["10.96.128.0/17"]):
        app.wait_for("the overlap", lambda: "route-overlap-guarded" in names(doctor(app.workspace, target(app))))
        found = doctor(app.workspace, target(app))
    assert names(found, "error", "warning") == set()
    assert any(router in finding["what"] for finding in found["findings"])


def test_a_device_that_no_replica_has_is_stale(app: Deployment, tailnet: Tailnet) -> None:
    made = tailnet.call("POST", "/lab/routers", {"hostname": f"{app.name}-7", "routes": [], "online": False})
    try:
        found = doctor(app.workspace, target(app), **by_api(tailnet))
        assert names(found) == {"stale-device"}
    finally:
        tailnet.call("DELETE", f"/lab/routers/{made['nodeId']}")


def test_a_key_that_will_expire_is_noted(app: Deployment, tailnet: Tailnet) -> None:
    key = by_api(tailnet)
    with expiry(app, key["TS_API_KEY"]):
        assert names(doctor(app.workspace, target(app), **key)) == {"key-expiry-enabled"}


@contextlib.contextmanager
def expiry(app: Deployment, key: str) -> Iterator[None]:
    """Lets the key of the first replica's device expire one day."""
    url = f"{app.workspace.tailnet.url}/api/v2/device/{app.device().id}/key"

    def disabled(*, value: bool) -> None:
        body = json.dumps({"keyExpiryDisabled": value}).encode()
        request = urllib.request.Request(url, body, {"Authorization": f"Bearer {key}"}, method="POST")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()

    disabled(value=False)
    try:
        yield
    finally:
        disabled(value=True)


@pytest.fixture(scope="module")
def by_hand(shared_workspace: Workspace) -> Sidecar:
    """A replica that somebody made from the guide."""
    name = f"guide-{secrets.token_hex(2)}"
    secret = shared_workspace.tailnet.oauth_client()[1]
    shared_workspace.apply(guide.objects(name, QUIET_APP, secret, shared_workspace.tailnet.url))
    app = Deployment(shared_workspace, name, {})
    app.wait_for("the device", lambda: any(device.online for device in app.devices()))
    app.await_ready()
    return Sidecar(app)


def test_of_the_guides_manifest_it_says_what_the_next_crash_would_do(by_hand: Sidecar) -> None:
    found = doctor(by_hand.app.workspace, target(by_hand.app))
    assert names(found, "error") == set()
    assert {"crash-would-break-dns", "new-key-each-start"} <= names(found, "warning")


def test_after_that_crash_it_says_what_is_wrong_and_what_helps(by_hand: Sidecar) -> None:
    app = by_hand.app
    by_hand.shell("kill -9 $(pidof tailscaled)")
    app.wait_for("the restart", lambda: app.restarts() > 0)
    app.wait_for("the finding", lambda: "stuck-after-crash" in names(doctor(app.workspace, target(app))))
