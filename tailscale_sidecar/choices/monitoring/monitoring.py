from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from ...pod import rules
from ...pod.additions import Additions, Surroundings
from ...pod.contract import MONITORING_PORT, MONITORING_PORT_NAME
from ...pod.model import Input, Model
from ...pod.objects import Json, env_value
from . import alerts

METRICS_PATH = "/metrics"


class Monitoring(Model):
    """Serves what the sidecar knows of its replica as metrics, and tailscaled's own after them: docs/monitoring.md.

    Without the Prometheus operator the pods get the usual annotations: `prometheus.io/scrape`, `/port` and `/path`.
    """

    port: int = Field(default=MONITORING_PORT, ge=1, le=65535)
    """Port of `/metrics` on the pod's address. `metrics_port` goes on serving tailscaled's metrics alone."""
    operator: bool = False
    """Whether the cluster has the Prometheus operator: it then gets a PodMonitor, and a PrometheusRule with the alerts."""
    labels: Mapping[str, Input[str]] = Field(default={})
    """Labels of these two objects, by which the operator's Prometheus selects them, such as `release`."""
    interval: str = "60s"
    """How often the operator's Prometheus asks, as Prometheus writes durations. The control plane speaks once a minute, so that
    more often says little more."""

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: Mapping[str, Input[str]]) -> Mapping[str, Input[str]]:
        for key in labels:
            rules.map_key(key, "monitoring.labels")
        return labels

    def additions(self, _: Surroundings) -> Additions:
        """What it adds to the pod."""
        annotations = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(self.port),
            "prometheus.io/path": METRICS_PATH,
        }
        return Additions(
            env=(env_value("MONITORING_PORT", str(self.port)),),
            annotations=() if self.operator else tuple(annotations.items()),
        )

    def pod_monitor(self, app: str) -> Json:
        """The `spec` of a PodMonitor of the pods that have the label `app`."""
        endpoint = {"port": MONITORING_PORT_NAME, "path": METRICS_PATH, "interval": self.interval}
        return {"selector": {"matchLabels": {"app": app}}, "podMetricsEndpoints": [endpoint]}

    def prometheus_rule(self, namespace: str, pod_monitor: str) -> Json:
        """The `spec` of a PrometheusRule for what a PodMonitor finds: the operator's job has its name."""
        return alerts.rules(f'job="{namespace}/{pod_monitor}"')
