"""What happens to a replica's state Secret."""

from __future__ import annotations

import base64
import json

from tests.cluster.deployment import Deployment


def empty(app: Deployment) -> None:
    """Somebody removes all that it holds."""
    app.workspace.kubectl("patch", "secret", app.pod(), "--type=merge", f"--patch={json.dumps({'data': None})}")


def saved(app: Deployment) -> str:
    """All that it holds."""
    data: dict[str, str] = app.workspace.get("Secret", app.pod())["data"]
    return "".join(base64.b64decode(value).decode() for value in data.values())
