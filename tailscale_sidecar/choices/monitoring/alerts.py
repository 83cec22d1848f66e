"""The alerts on replicas, as the Prometheus operator takes them: plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...pod.objects import Json

RUNBOOKS = "https://github.com/tailscale-sidecar/tailscale-sidecar/blob/main/docs/runbooks"
"""Where each alert has a page."""


@dataclass(frozen=True)
class Alert:
    """One alert of the replicas of a StatefulSet. `{of}` in its expression selects their series."""

    name: str
    expression: str
    lasts: str
    """How long it has to be so before somebody is told, as Prometheus writes durations."""
    severity: str
    summary: str
    description: str

    @property
    def page(self) -> str:
        """Name of its runbook."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", self.name).lower()

    def rule(self, of: str) -> Json:
        """The alert on the series that a selector finds."""
        return {
            "alert": self.name,
            "expr": self.expression.replace(",{of}}", f",{of}}}").replace("{of}", f"{{{of}}}"),
            "for": self.lasts,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOKS}/{self.page}.md",
            },
        }


ALERTS = (
    Alert(
        name="TailscaleReplicaNotConnected",
        expression="tailscale_sidecar_connected{of} == 0 or up{of} == 0",
        lasts="5m",
        severity="warning",
        summary="{{ $labels.pod }} is not on the tailnet.",
        description="Its tailscaled does not run, is not logged in, or has lost the control plane. Nobody new reaches it.",
    ),
    Alert(
        name="TailscaleStatefulSetNotConnected",
        expression="count by (namespace, job) (up{of}) unless count by (namespace, job) (tailscale_sidecar_connected{of} == 1)",
        lasts="5m",
        severity="critical",
        summary="No replica of {{ $labels.job }} is on the tailnet.",
        description="All {{ $value }} are off: look for what they share, which is the control plane, the credential and the network.",
    ),
    Alert(
        name="TailscaleLoginFailing",
        expression="sum by (namespace, pod, reason) (increase(tailscale_sidecar_login_failures_total{of}[10m])) > 0",
        lasts="5m",
        severity="critical",
        summary="{{ $labels.pod }} cannot log in: {{ $labels.reason }}.",
        description="It has no device that it can use and tries again, up to a minute apart. A corrected Secret heals it.",
    ),
    Alert(
        name="TailscaleKeyExpires",
        expression="tailscale_sidecar_key_expiry_timestamp_seconds{of} - time() < 7 * 86400",
        lasts="10m",
        severity="warning",
        summary="The key of {{ $labels.pod }} expires in {{ $value | humanizeDuration }}.",
        description="After that its device is cut off until its sidecar starts again and logs in.",
    ),
    Alert(
        name="TailscaleDeviceDeleted",
        expression=(
            'sum by (namespace, pod) (increase(tailscale_sidecar_restarts_total{cause="device_deleted",{of}}[1h])) > 0'
        ),
        lasts="0m",
        severity="warning",
        summary="The device of {{ $labels.pod }} was deleted on the tailnet.",
        description="Its sidecar logs in again, as another device with other addresses. Find out who deletes devices that run.",
    ),
    Alert(
        name="TailscaleReplicaFlapping",
        expression=(
            "changes(tailscale_sidecar_connected{of}[1h]) >= 6"
            " or sum by (namespace, pod) (increase(tailscale_sidecar_restarts_total{of}[1h])) >= 3"
        ),
        lasts="0m",
        severity="warning",
        summary="{{ $labels.pod }} comes and goes on the tailnet.",
        description="In the last hour it lost the tailnet, or its sidecar started again, three times or more.",
    ),
    Alert(
        name="TailscaleTrafficRelayed",
        expression=(
            'sum by (namespace, pod) (increase(tailscaled_inbound_bytes_total{path="derp",{of}}[15m])) > 100000'
            ' unless sum by (namespace, pod) (increase(tailscaled_inbound_bytes_total{path!="derp",{of}}[15m])) > 0'
        ),
        lasts="1h",
        severity="info",
        summary="All traffic to {{ $labels.pod }} goes through a relay.",
        description="No peer has a direct way to it, so it is slow: UDP is blocked, or both sides are behind hard NATs.",
    ),
    Alert(
        name="TailscaleResolverFailing",
        expression="tailscale_sidecar_resolver_answers{of} == 0",
        lasts="5m",
        severity="critical",
        summary="{{ $labels.pod }} cannot look up names of the {{ $labels.names }}.",
        description="The app's nameserver does not answer, or says that a name that is there is not.",
    ),
)


def rules(of: str) -> Json:
    """The `spec` of a PrometheusRule for the series that a selector such as `job="db/my-app"` finds."""
    return {"groups": [{"name": "tailscale-sidecar", "rules": [alert.rule(of) for alert in ALERTS]}]}
