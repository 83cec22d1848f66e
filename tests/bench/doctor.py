"""`doctor` and `preflight` beside `kubectl get` of the same objects.

The pods fit no node, so all of them are in trouble: that is the night for which `doctor` is there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lab import Lab
from tests.lab.shell import step, wait_for
from tests.support.api import Api
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.subjects import Bench

from .table import Cell, Row, Rows

PODS, RUNS = 1_000, 5
AT_MOST = 2
KINDS = "statefulsets,deployments,pods,secrets,events,roles,rolebindings"


def commands(bench: Bench) -> Rows:
    """The shortest of some runs of each, in turn."""
    with Workspace.temporary(bench.lab, bench.tailnet) as workspace:
        with step(f"{PODS} pods"):
            app = deployed(workspace, PODS)
        namespace = f"--namespace={workspace.namespace}"
        library = [sys.executable, "-m", "tailscale_sidecar"]
        asked = {
            "kubectl get": [str(bench.lab.bin / "kubectl"), "get", KINDS, namespace, "--output=json"],
            "doctor": [*library, "doctor", f"{workspace.namespace}/{app.name}"],
            "preflight": [
                *library,
                "preflight",
                namespace,
                f"--name={app.name}",
                f"--replicas={PODS}",
                "--tag=tag:k8s",
            ],
        }
        with step("commands"):
            times = [{name: seconds(bench.lab, command) for name, command in asked.items()} for _ in range(RUNS)]
    shortest = {name: min(run[name] for run in times) for name in asked}
    kubectl = shortest.pop("kubectl get")
    cells = {"kubectl get": Cell(f"{kubectl:.1f} s")}
    for name, took in shortest.items():
        text = f"{took:.1f} s ({took / kubectl:.2f} of kubectl's, at most {AT_MOST})"
        cells[name] = Cell(text, holds=took <= AT_MOST * kubectl)
    yield Row(f"{PODS:,} replicas", cells)


def deployed(workspace: Workspace, replicas: int) -> Deployment:
    """A StatefulSet of so many pods, with a state Secret for each, that no node takes."""
    spec: dict[str, Any] = {"containers": [APP], "nodeSelector": {"nowhere": "true"}}
    choices = {"pod_management_policy": "Parallel", "allow_registration_burst": True}
    arguments = workspace.arguments(replicas=replicas, pod_spec=spec, **choices)
    app = Deployment(workspace, f"many-{replicas}", arguments)
    objects = app.objects
    few = [found for found in objects if found["kind"] != "Secret"]
    many = [found for found in objects if found["kind"] == "Secret"]
    with ThreadPoolExecutor(8) as pool:  # kubectl would send them one by one
        list(pool.map(Api.of(workspace.lab).create, many))
    workspace.apply(few)
    wait_for(f"{replicas} pods", lambda: len(workspace.find_all("Pod", f"app={app.name}")) == replicas, 240)
    return app


def seconds(lab: Lab, command: Sequence[str]) -> float:
    """How long a program takes from its start to its end."""
    began = time.monotonic()
    subprocess.run(command, env=lab.environment(), check=False, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
