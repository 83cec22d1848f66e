"""The command `doctor` on the lab."""

from __future__ import annotations

import contextlib
import io
import json
import os
import urllib.request
from typing import Any
from unittest import mock

from tailscale_sidecar.__main__ import main
from tests.lab import settings
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Deployment, Workspace

CLUSTER_CIDRS = ["10.244.0.0/16", "10.96.0.0/16", "10.200.0.0/24", "fd00:10:244::/64", "fd00:10:96::/112"]


def doctor(workspace: Workspace, *arguments: str, **environment: str) -> dict[str, Any]:
    """What the command prints, as JSON; with its exit status."""
    variables = {**workspace.lab.environment(), **environment}
    # No object of the lab's cluster names its pods' CIDRs.
    cidrs = [word for family in settings.FAMILIES for word in ("--cluster-cidr", family.pods)]
    with mock.patch.dict(os.environ, variables, clear=True), contextlib.redirect_stdout(io.StringIO()) as out:
        status = main(["doctor", "--json", *cidrs, *arguments])
    return {**json.loads(out.getvalue() or "{}"), "status": status}


def names(found: dict[str, Any], *severities: str) -> set[str]:
    """Of the findings, without what the routers of tests that run at the same time bring about."""
    wanted = severities or ("error", "warning", "note")
    every = {finding["name"] for finding in found["findings"] if finding["severity"] in wanted}
    return every - {"route-overlap-guarded"}


def by_api(tailnet: Tailnet) -> dict[str, str]:
    """A credential for the lab's API."""
    key = tailnet.call("POST", "/lab/api-keys", {})["key"]
    return {"TS_API_KEY": key, "TS_BASE_URL": tailnet.url}


def target(app: Deployment) -> str:
    return f"{app.workspace.namespace}/{app.name}"


def await_finding(app: Deployment, *wanted: str, **environment: str) -> None:
    """Waits until `doctor` has these findings, among others."""
    app.wait_for(
        f"the findings {wanted}", lambda: set(wanted) <= names(doctor(app.workspace, target(app), **environment))
    )


def disable_key_expiry(app: Deployment, key: str, *, value: bool = True) -> None:
    """By the switch that the admin console has for it."""
    url = f"{app.workspace.tailnet.url}/api/v2/device/{app.device().id}/key"
    body = json.dumps({"keyExpiryDisabled": value}).encode()
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {key}"}, method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
