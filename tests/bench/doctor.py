"""`doctor` beside `kubectl get` of the same objects: `python -m tests.bench.doctor [REPLICAS...]`, on a running lab.

The pods fit no node, so all of them are in trouble: that is the night for which the command is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.cluster.api import Api
from tests.cluster.deployment import APP, Deployment, Workspace
from tests.lab import Lab
from tests.lab.shell import step, wait_for
from tests.lab.tailnet_client import Tailnet

RUNS = 3
KINDS = "statefulsets,deployments,pods,secrets,events,roles,rolebindings"


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
    """The shortest of some runs of a program, from its start to its end."""
    times = []
    for _ in range(RUNS):
        began = time.monotonic()
        subprocess.run(command, env=lab.environment(), check=False, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - began)
    return min(times)


def main() -> None:
    """Prints a line for each number of replicas."""
    lab = Lab.start()
    lab.enter()
    print("| replicas | doctor | kubectl get | times |\n| --- | --- | --- | --- |")
    for replicas in map(int, sys.argv[1:] or ("200", "1000")):
        with Workspace.temporary(lab, Tailnet(lab.tailnet_url)) as workspace:
            with step(f"{replicas} pods"):
                app = deployed(workspace, replicas)
            doctor = [
                sys.executable,
                "-m",
                "tailscale_sidecar",
                "doctor",
                f"{workspace.namespace}/{app.name}",
                "--json",
            ]
            get = [str(lab.bin / "kubectl"), "get", KINDS, f"--namespace={workspace.namespace}", "--output=json"]
            figures = seconds(lab, doctor), seconds(lab, get)
            found = json.loads(
                subprocess.run(doctor, env=lab.environment(), check=False, stdout=subprocess.PIPE).stdout
            )
            assert len(found["workloads"][0]["replicas"]) == replicas
        print(f"| {replicas} | {figures[0]:.1f} s | {figures[1]:.1f} s | {figures[0] / figures[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
