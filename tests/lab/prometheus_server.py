"""A Prometheus in the lab's network, and the types of the Prometheus operator: both as released."""

from __future__ import annotations

import json
import shutil
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import binaries, cgroups, lab, namespace, pki, processes
from .processes import Process
from .settings import IPV4, RUN, STATE
from .shell import LabError, locked, wait_for

NAME = "prometheus"
FOLDER = STATE / NAME
LISTEN = f"{IPV4.node}:9090"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
"""The newest that the registry has with the types of its API as YAML."""
SCRAPED = "4s"
"""How often, and how long an answer may take: a replica waits two seconds for a resolver that says nothing."""

KUBELET_SCRAPED = "15s"
"""The kubelet looks itself no more often than each 10 to 15 s."""


@dataclass(frozen=True)
class Prometheus:
    """A client of a running Prometheus."""

    kubeconfig: Path

    def watch(self, namespace: str, pod_monitor: Mapping[str, Any], name: str, rules: Mapping[str, Any]) -> None:
        """Finds the pods of a PodMonitor as the operator has Prometheus do it, and judges what they say by rules.

        It asks the kubelet too.
        """
        (FOLDER / "rules.json").write_text(json.dumps(rules))
        jobs = [scrape_job(self.kubeconfig, namespace, pod_monitor, name), kubelet_job()]
        write_config({"rule_files": ["rules.json"], "scrape_configs": jobs})
        start()

    def ask(self, query: str) -> dict[str, Any]:
        """A request of its API; returns the data of the answer."""
        with lab.direct().open(f"http://{LISTEN}/api/v1/{query}", timeout=30) as response:
            return dict(json.load(response)["data"])

    def samples(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now."""
        return list(self.ask(f"query?query={urllib.parse.quote(expression)}")["result"])

    def holds(self, expression: str) -> bool:
        """Whether an expression gives anything now."""
        return self.samples(expression) != []

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}


def scrape_job(kubeconfig: Path, namespace: str, pod_monitor: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the operator makes of a PodMonitor (prometheus-operator@v0.85.0 pkg/prometheus/promcfg.go)."""
    (endpoint,) = pod_monitor["podMetricsEndpoints"]
    relabel: list[dict[str, Any]] = [
        {"source_labels": ["job"], "target_label": "__tmp_prometheus_job_name"},
        {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)", "action": "drop"},
    ]
    for label, value in pod_monitor["selector"]["matchLabels"].items():
        labels = [f"__meta_kubernetes_pod_label_{label}", f"__meta_kubernetes_pod_labelpresent_{label}"]
        relabel.append({"source_labels": labels, "regex": f"({value});true", "action": "keep"})
    relabel.append(
        {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": endpoint["port"], "action": "keep"}
    )
    relabel += [
        {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": target}
        for source, target in (("namespace", "namespace"), ("pod_container_name", "container"), ("pod_name", "pod"))
    ]
    relabel += [
        {"target_label": "job", "replacement": f"{namespace}/{name}"},
        {"target_label": "endpoint", "replacement": endpoint["port"]},
    ]
    found = {"role": "pod", "kubeconfig_file": str(kubeconfig), "namespaces": {"names": [namespace]}}
    return {
        "job_name": f"podMonitor/{namespace}/{name}/0",
        "metrics_path": endpoint["path"],
        "scrape_interval": SCRAPED,
        "scrape_timeout": SCRAPED,
        "kubernetes_sd_configs": [found],
        "relabel_configs": relabel,
    }


def kubelet_job() -> dict[str, Any]:
    """What the kubelet says of containers. (Its cAdvisor finds containerd where Debian has it, not the lab's.)"""
    tls = {
        "ca_file": str(pki.certificate("ca")),
        "cert_file": str(pki.certificate("kubelet-client")),
        "key_file": str(pki.private_key("kubelet-client")),
    }
    return {
        "job_name": "kubelet",
        "metrics_path": "/metrics/resource",
        "scheme": "https",
        "scrape_interval": KUBELET_SCRAPED,
        "tls_config": tls,
        "static_configs": [{"targets": [f"{IPV4.node}:10250"]}],
    }


@contextmanager
def prometheus(kubeconfig: Path) -> Iterator[Prometheus]:
    """A Prometheus for as long as the block lasts, with nothing of an earlier one. There is one at a time."""
    with locked(RUN / f"{NAME}.lock", "uses Prometheus"):
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        try:
            yield Prometheus(kubeconfig)
        finally:
            if process := Process.recorded(NAME):
                process.stop()


def write_config(config: Mapping[str, Any]) -> None:
    """Writes its configuration; it looks often, so that tests need not wait."""
    quick = {"global": {"scrape_interval": SCRAPED, "scrape_timeout": SCRAPED, "evaluation_interval": "1s"}}
    (FOLDER / "prometheus.yml").write_text(json.dumps({**quick, **config}))


def start() -> None:
    """Starts it."""
    program = binaries.ensure(binaries.PROMETHEUS) / "prometheus"
    files = [f"--config.file={FOLDER}/prometheus.yml", f"--storage.tsdb.path={FOLDER}/data"]
    command = [str(program), *files, f"--web.listen-address={LISTEN}"]
    processes.start(NAME, cgroups.CONTROL, namespace.command(command), {})
    wait_for("Prometheus to be ready", is_ready)


def is_ready() -> bool:
    """Whether it answers."""
    process = Process.recorded(NAME)
    if process is None or not process.runs():
        raise LabError(f"Prometheus ended:\n{lab.last_words(NAME)}")
    return lab.answers(f"http://{LISTEN}/-/ready")


def ensure() -> None:
    """Builds and downloads what it takes: from the lab's network nothing can be downloaded."""
    binaries.ensure(binaries.PROMETHEUS)
    operator_types()


def operator_types() -> list[Path]:
    """The operator's CustomResourceDefinitions of what the component makes."""
    said = binaries.go("mod", "download", "-json", OPERATOR, cwd=Path("/"))
    folder = Path(json.loads(said)["Dir"]) / "example/prometheus-operator-crd"
    return [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in ("podmonitors", "prometheusrules")]
