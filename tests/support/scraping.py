"""Reads replicas' metrics: as a Prometheus in the cluster would, from another pod, and by a real one."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from tailscale_sidecar import Monitoring
from tests.lab import Lab
from tests.lab.prometheus_server import Prometheus, operator_types
from tests.lab.shell import wait_for
from tests.support.deployment import Deployment, Workspace

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


def exposition(of: Deployment, ordinal: int = 0, *, by: int = 0, port: int = 9004) -> str:
    """What a replica answers to a scrape, with its HELP and TYPE; the app of replica `by` asks."""
    address = of.status(ordinal)["podIP"]
    return of.exec("fetch", f"http://{address}:{port}/metrics", ordinal=by)


def scraped(of: Deployment, ordinal: int = 0, *, by: int = 0) -> dict[str, float]:
    """The samples by name and labels."""
    return {name: float(value) for name, value in SAMPLE.findall(exposition(of, ordinal, by=by))}


def shortened(rules: dict[str, Any]) -> dict[str, Any]:
    """The rules, quick to fire and to clear: promtool has seen to the times."""
    text = re.sub(r'"for": "(?!0m)[^"]*"', '"for": "2s"', json.dumps(rules)).replace("> 100000", "> 1000")
    shorter: dict[str, Any] = json.loads(re.sub(r"\[(10m|15m|1h)\]", "[30s]", text))
    for rule in shorter["groups"][0]["rules"]:
        if rule["alert"] == "TailscaleReplicaFlapping":  # a kubelet takes its time with the third restart
            rule["expr"] = rule["expr"].replace("[30s]", "[2m]")
    return shorter


def watched(workspace: Workspace, prometheus: Prometheus, **arguments: Any) -> Deployment:
    """A deployment whose PodMonitor and PrometheusRule, as the API server has them, a Prometheus follows."""
    for file in operator_types():
        workspace.lab.kubectl("apply", "--server-side", f"--filename={file}")
        wait_for(f"the API server to know {file.stem}", partial(established, workspace.lab, file))
    waits = arguments.pop("wait", True)
    app = workspace.deploy(monitoring=Monitoring(operator=True, labels={"release": "x"}), wait=waits, **arguments)
    made = {
        kind: json.loads(workspace.kubectl("get", kind, app.name, "--output=json"))
        for kind in ("podmonitor", "prometheusrule")
    }
    assert all(found["metadata"]["labels"]["release"] == "x" for found in made.values())
    prometheus.watch(
        workspace.namespace, made["podmonitor"]["spec"], app.name, shortened(made["prometheusrule"]["spec"])
    )
    return app


def established(lab: Lab, file: Path) -> bool:
    """Whether a type can be used. (`kubectl wait` gives up where it has no conditions yet.)"""
    found = json.loads(lab.kubectl("get", f"--filename={file}", "--output=json"))
    conditions = found.get("status", {}).get("conditions") or ()
    return ("Established", "True") in {(condition["type"], condition["status"]) for condition in conditions}
