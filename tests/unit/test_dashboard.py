"""The Grafana dashboard: that Grafana can import it, and that what it asks for is served."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest

from tailscale_sidecar.__main__ import main
from tailscale_sidecar.choices.monitoring.alerts import ALERTS
from tests.support.sandbox import SCRIPTS

SERVED = {f"tailscale_sidecar_{name}" for name in re.findall(r'head\("(\w+)"', SCRIPTS["metrics.sh"])}


@pytest.fixture
def dashboard(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["dashboard"]) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def queries(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def test_it_has_what_an_import_needs(dashboard: dict[str, Any]) -> None:
    assert dashboard["title"]
    assert re.fullmatch(r"[\w-]{1,40}", dashboard["uid"])
    assert dashboard["schemaVersion"] >= 36
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))


def test_panels_lie_within_the_grid_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    cells = []
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells.append(
            {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
        )
    assert not any(one & other for one, other in combinations(cells, 2))


def test_every_panel_asks_the_chosen_data_source_for_the_chosen_stateful_set(dashboard: dict[str, Any]) -> None:
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource", "namespace", "statefulset"}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
            assert "$namespace" in target["expr"]
            assert "$statefulset" in target["expr"]


def test_what_dashboard_and_alerts_ask_of_the_sidecar_is_served(dashboard: dict[str, Any]) -> None:
    asked = {
        name
        for expression in [*queries(dashboard), *(alert.expression for alert in ALERTS)]
        for name in re.findall(r"tailscale_sidecar_\w+", expression)
    }
    assert asked == SERVED - {"tailscale_sidecar_logins_total"}
