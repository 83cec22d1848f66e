"""The command `preflight` on the lab."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
from typing import Any
from unittest import mock

from tailscale_sidecar.__main__ import main
from tests.lab import settings
from tests.support.deployment import Workspace


def preflight(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    """What the command prints, as JSON, with its exit status; it asks the lab's API about the tailnet."""
    key = workspace.tailnet.call("POST", "/lab/api-keys", {})["key"]
    variables = {**workspace.lab.environment(), "TS_API_KEY": key, "TS_BASE_URL": workspace.tailnet.url}
    # No object of the lab's cluster names its pods' CIDRs.
    cidrs = [word for family in settings.FAMILIES for word in ("--cluster-cidr", family.pods)]
    name = f"--name=preflight-{secrets.token_hex(2)}"  # other names may be those of other tests' devices
    words = ["preflight", "--json", f"--namespace={workspace.namespace}", name, *cidrs, *arguments]
    with mock.patch.dict(os.environ, variables, clear=True), contextlib.redirect_stdout(io.StringIO()) as out:
        status = main(words)
    return {**json.loads(out.getvalue() or "{}"), "status": status}


def names(found: dict[str, Any]) -> set[str]:
    return {finding["name"] for finding in found["findings"]}
