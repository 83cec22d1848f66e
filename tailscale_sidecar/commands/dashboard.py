"""`tailscale-sidecar dashboard`: the Grafana dashboard of what `Monitoring` serves, as JSON to import."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OF = 'namespace="$namespace",pod=~"$statefulset-[0-9]+"'
"""The series of the StatefulSet that is chosen."""
SIDECAR = f'{OF},container=~"tailscale.*"'
"""The kubelet's series of its containers; it may be asked in two ways, so that one is there twice."""
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, STAT_HEIGHT = 24, 8, 4
"""Of Grafana's grid, of a panel, and of one that shows a single value."""
REPLICAS = f"count(count by (pod) (up{{{OF}}}))"
"""Another job may scrape the same pods."""
BY_SERIES = {"mode": "palette-classic"}
PLAIN = {"mode": "fixed", "fixedColor": "text"}
"""Without a colour Grafana makes a single value red from 80."""


def _states(off: str, on: str) -> dict[str, Any]:
    """How 0 and 1 are shown."""
    shown = {"0": {"text": off, "color": "red", "index": 0}, "1": {"text": on, "color": "green", "index": 1}}
    return {"mappings": [{"type": "value", "options": shown}], "color": {"mode": "thresholds"}, "min": 0, "max": 1}


def _bad_from(limit: float) -> dict[str, Any]:
    """Green, and red from a limit."""
    steps = [{"color": "green", "value": None}, {"color": "red", "value": limit}]
    return {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}


@dataclass(frozen=True)
class Panel:
    """One panel: a title, what it asks, and how the answer is drawn."""

    title: str
    queries: tuple[tuple[str, str], ...]
    """PromQL and the legend of its series."""
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 12
    description: str = ""
    values: Mapping[str, Any] = field(default_factory=lambda: {"color": BY_SERIES})
    """Colours, words and limits of them, as Grafana calls a field's."""


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Fleet",
        (
            Panel("Replicas", ((REPLICAS, "replicas"),), "stat", width=6, values={"color": PLAIN}),
            Panel(
                "Not connected",
                ((f"{REPLICAS} - (sum(tailscale_sidecar_connected{{{OF}}}) or vector(0))", "not connected"),),
                "stat",
                width=6,
                values=_bad_from(1),
            ),
            Panel(
                "Soonest key expiry",
                ((f"min(tailscale_sidecar_key_expiry_timestamp_seconds{{{OF}}}) * 1000", "expiry"),),
                "stat",
                unit="dateTimeFromNow",
                width=6,
                description="No data: no key expires.",
                values={"color": PLAIN},
            ),
            Panel(
                "Overlapping routes",
                ((f"max(tailscale_sidecar_overlapping_routes{{{OF}}})", "routes"),),
                "stat",
                width=6,
                description="Routes of the tailnet that cover addresses of the cluster. Rules keep these in the cluster.",
                values={"color": PLAIN},
            ),
        ),
    ),
    (
        "Replicas",
        (
            Panel(
                "Connected",
                ((f"tailscale_sidecar_connected{{{OF}}}", "{{pod}}"),),
                "state-timeline",
                values=_states("off", "connected"),
            ),
            Panel(
                "Silence of the control plane",
                ((f"time() - tailscale_sidecar_control_plane_last_answer_timestamp_seconds{{{OF}}}", "{{pod}}"),),
                unit="s",
                description="It says something once a minute.",
            ),
            Panel(
                "Restarts in an hour",
                ((f"sum by (cause) (increase(tailscale_sidecar_restarts_total{{{OF}}}[1h]))", "{{cause}}"),),
                description="Of all replicas.",
            ),
            Panel(
                "Failed logins in an hour",
                ((f"sum by (reason) (increase(tailscale_sidecar_login_failures_total{{{OF}}}[1h]))", "{{reason}}"),),
                description="Of all replicas.",
            ),
        ),
    ),
    (
        "Traffic",
        (
            *(
                Panel(
                    f"{way.capitalize()} by path",
                    ((f"sum by (path) (rate(tailscaled_{way}_bytes_total{{{OF}}}[$__rate_interval]))", "{{path}}"),),
                    unit="Bps",
                    description="derp is a relay; direct and peer_relay are without one of Tailscale's.",
                )
                for way in ("inbound", "outbound")
            ),
            Panel(
                "Dropped packets",
                tuple(
                    (
                        f"sum by (reason) (rate(tailscaled_{way}_dropped_packets_total{{{OF}}}[$__rate_interval]))",
                        f"{way} {{{{reason}}}}",
                    )
                    for way in ("inbound", "outbound")
                ),
                unit="pps",
            ),
            Panel("Health warnings", ((f"tailscaled_health_messages{{{OF}}}", "{{pod}} {{type}}"),)),
        ),
    ),
    (
        "Names and cost",
        (
            Panel(
                "Names are answered",
                ((f"tailscale_sidecar_resolver_answers{{{OF}}}", "{{pod}} {{names}}"),),
                "state-timeline",
                width=8,
                values=_states("no", "yes"),
            ),
            Panel(
                "Memory of the sidecar",
                (
                    (
                        f"max by (pod, container) (container_memory_working_set_bytes{{{SIDECAR}}})",
                        "{{pod}} {{container}}",
                    ),
                ),
                unit="bytes",
                width=8,
                description="From the kubelet.",
            ),
            Panel(
                "CPU of the sidecar",
                (
                    (
                        f"max by (pod, container) (rate(container_cpu_usage_seconds_total{{{SIDECAR}}}[$__rate_interval]))",
                        "{{pod}} {{container}}",
                    ),
                ),
                width=8,
                description="In cores, from the kubelet.",
            ),
        ),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has none."""
    del parser


def run(options: argparse.Namespace) -> int:
    """Prints the dashboard; returns the exit status."""
    del options
    print(json.dumps(dashboard(), indent=2))
    return 0


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it: its classic JSON model, which every release since 8 takes."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append(
            {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _place(WIDTH, 1, 0, top)}
        )
        left, top = 0, top + 1
        height = STAT_HEIGHT if all(panel.kind == "stat" for panel in row) else HEIGHT
        for panel in row:
            if left + panel.width > WIDTH:
                left, top = 0, top + height
            panels.append(_panel(panel, _place(panel.width, height, left, top)))
            left += panel.width
        top += height
    return {
        "title": "Tailscale sidecars",
        "uid": "tailscale-sidecar",
        "tags": ["tailscale"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def _place(width: int, height: int, left: int, top: int) -> dict[str, int]:
    return {"w": width, "h": height, "x": left, "y": top}


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend, "datasource": DATA_SOURCE}
        for index, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATA_SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, **panel.values}, "overrides": []},
        "options": {},
        "targets": targets,
    }


def _variables() -> list[dict[str, Any]]:
    series = "tailscale_sidecar_connected"
    asked = {
        "namespace": (f"label_values({series}, namespace)", ""),
        "statefulset": (f'label_values({series}{{namespace="$namespace"}}, pod)', "/(.*)-[0-9]+$/"),
    }
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    return [
        source,
        *(
            {
                "name": name,
                "type": "query",
                "datasource": DATA_SOURCE,
                "query": {"query": query, "refId": name},
                "regex": regex,
                "refresh": 2,
                "sort": 1,
            }
            for name, (query, regex) in asked.items()
        ),
    ]
