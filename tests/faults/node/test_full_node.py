"""A node runs short of memory: the kubelet evicts who uses more than they asked for, and not replicas under load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests.lab import Lab, LabError
from tests.lab.components import GENERATED
from tests.lab.settings import NODE
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.look_ups import CLUSTER_NAME

LOAD_SECONDS = 60
SPARE, HELD = 700, 1500
"""MiB: what the node may lose before its kubelet evicts, and what the neighbour takes."""
TAKES = f'BEGIN {{ for (i = 0; i < {HELD}; i++) held[i] = sprintf("%1048576s", i); system("sleep 600") }}'


@pytest.mark.soak
def test_replicas_under_load_stay_on_a_node_that_a_neighbour_fills(workspace: Workspace, lab: Lab) -> None:
    asks = {"requests": {"memory": "16Mi"}}
    app = workspace.deploy(replicas=2, pod_spec={"containers": [{**APP, "resources": asks}]})
    before = [(app.uid(ordinal), app.status(ordinal)["containerStatuses"][0]["restartCount"]) for ordinal in (0, 1)]
    neighbour = {**APP, "name": "takes", "command": ["awk", TAKES], "resources": asks}
    load = f"fetch http://{app.device(1).addresses[0]}/; getent hosts {CLUSTER_NAME}"
    for_a_while = f"end=$(($(date +%s) + {LOAD_SECONDS})); while [ $(date +%s) -lt $end ]; do {load}; done >/dev/null"
    with short_of_memory(lab), ThreadPoolExecutor(1) as pool:
        app.wait_for("the kubelet to know its pods again", lambda: runs_commands(app))
        loaded = pool.submit(app.exec, "sh", "-c", for_a_while)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "takes"}, "spec": {"containers": [neighbour]}}
        workspace.kubectl("create", "--filename=-", stdin=json.dumps(pod))
        app.wait_for("the neighbour to be evicted", lambda: reason(workspace, "takes") == "Evicted", 120)
        loaded.result()
    after = [(app.uid(ordinal), app.status(ordinal)["containerStatuses"][0]["restartCount"]) for ordinal in (0, 1)]
    assert (after, [reason(workspace, app.pod(ordinal)) for ordinal in (0, 1)]) == (before, ["", ""])


def runs_commands(app: Deployment) -> bool:
    """Whether the kubelet, which has just started, takes commands for a pod."""
    with suppress(LabError):
        return app.exec("echo", "yes") == "yes\n"
    return False


def reason(workspace: Workspace, pod: str) -> str:
    """Why a pod has ended, if the kubelet says."""
    return str(workspace.get("Pod", pod)["status"].get("reason", ""))


@contextmanager
def short_of_memory(lab: Lab) -> Iterator[None]:
    """A kubelet that evicts when the node has a little less than it has now."""
    summary = json.loads(lab.kubectl("get", "--raw", f"/api/v1/nodes/{NODE}/proxy/stats/summary"))
    limit = summary["node"]["memory"]["availableBytes"] // 2**20 - SPARE
    file = GENERATED / "kubelet.yaml"
    config = file.read_text(encoding="utf-8")
    short = config.replace("memory.available: 50Mi", f"memory.available: {limit}Mi")
    file.write_text(f"{short}evictionPressureTransitionPeriod: 5s\n", encoding="utf-8")
    try:
        lab.restart("kubelet")
        yield
    finally:
        file.write_text(config, encoding="utf-8")
        lab.restart("kubelet")
