"""What real sidecars ask of the API server when they start, which KWOK's do not: from the lab's audit log."""

from __future__ import annotations

import json
import time
from math import inf

from tailscale_sidecar import ClusterDns
from tests.lab.processes import log
from tests.lab.shell import step
from tests.support.deployment import Deployment, Workspace
from tests.support.subjects import Apps, Bench, deploy, restart

from .api_server import SUBJECTS
from .table import Cell, Row, Rows

AT_MOST = 23
"""Requests of one of the guide's sidecars at its first start, which one of the component's may not exceed."""
OURS = ("scoped", "guarded")
SETTLING_SECONDS = 10
"""After a start tailscaled goes on saving its state, and the kubelet goes on reporting."""


def audit(bench: Bench) -> Rows:
    """A first start and a later one, of one replica each."""
    with Workspace.temporary(bench.lab, bench.tailnet) as workspace:
        deployments = {
            label: subject.in_workspace(workspace, dns=ClusterDns(), **choices)
            for label, (subject, choices) in SUBJECTS.items()
        }
        apps = Apps(workspace, deployments)
        for title, start in (("first", deploy), ("later", restart)):
            began = {label: counted(app) for label, app in deployments.items()}
            with step(f"a {title} start"):
                apps.each(start)
                time.sleep(SETTLING_SECONDS)  # the start is over, and what is left of it is not to be missed
            ended = apps.each(counted)

            for index, who in enumerate(("a sidecar", "the kubelet for its pod")):
                asked = {label: requests[index] - began[label][index] for label, requests in ended.items()}
                most = AT_MOST if (who, title) == ("a sidecar", "first") else inf
                cells = {label: Cell(str(n), holds=label not in OURS or n <= most) for label, n in asked.items()}
                yield Row(f"requests of {who} at a {title} start", cells | apps.failed)


def counted(app: Deployment) -> tuple[int, int]:
    """Requests so far: of the pods' ServiceAccount, and of the kubelet about the pods and what they use."""
    account = f"system:serviceaccount:{app.workspace.namespace}:{app.name}"
    lines = log("audit").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines if app.workspace.namespace in line]
    own = [event for event in events if event["user"]["username"] == account]
    kubelets = [
        event
        for event in events
        if event["user"]["username"].startswith("system:node:")
        and event["objectRef"].get("namespace") == app.workspace.namespace
        and str(event["objectRef"].get("name", "")).startswith(app.name)
    ]
    return len(own), len(kubelets)
