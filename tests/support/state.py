"""What happens to a replica's state Secret."""

from __future__ import annotations

import base64
import json

from tests.lab.tailnet_client import Device
from tests.support.deployment import Deployment
from tests.support.sidecar import Sidecar


def empty(app: Deployment) -> None:
    """Somebody removes all that it holds."""
    app.workspace.kubectl("patch", "secret", app.pod(), "--type=merge", f"--patch={json.dumps({'data': None})}")


def rewrite(app: Deployment) -> None:
    """Another controller writes the second replica's state into the first one's."""
    patch = json.dumps({"data": app.workspace.get("Secret", app.pod(1))["data"]})
    app.workspace.kubectl("patch", "secret", app.pod(0), "--type=merge", f"--patch={patch}")


def tells_of_another(app: Deployment, device: Device, before: Device) -> bool:
    """Whether the first replica's log says that its state holds another device than before."""
    return f"holds another device ({device.id}) than when this pod last started ({before.id})" in Sidecar(app).logs()


def saved(app: Deployment) -> str:
    """All that it holds."""
    data: dict[str, str] = app.workspace.get("Secret", app.pod())["data"]
    return "".join(base64.b64decode(value).decode() for value in data.values())
