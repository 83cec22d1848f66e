"""The Grafana dashboard, by what Grafana itself publishes: its types, and the parts that it draws with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailscale_sidecar.commands.dashboard import dashboard
from tests.lab.prometheus_server import Prometheus
from tests.lab.shell import run, wait_for
from tests.support.dashboard_page import VIEWS, look, page_address, queries
from tests.support.deployment import Workspace
from tests.support.scraping import watched

HEAD = """\
import { type Dashboard, FieldColorModeId, MappingType, ThresholdsMode } from "@grafana/schema";
export const dashboard: Dashboard = """
MEMBERS = {
    '"type": "value"': '"type": MappingType.ValueToText',
    '"mode": "absolute"': '"mode": ThresholdsMode.Absolute',
    '"mode": "fixed"': '"mode": FieldColorModeId.Fixed',
    '"mode": "palette-classic"': '"mode": FieldColorModeId.PaletteClassic',
    '"mode": "thresholds"': '"mode": FieldColorModeId.Thresholds',
}
"""Of enums, which no JSON has."""
SETTINGS = {
    "jsx": "react-jsx",
    "module": "esnext",
    "moduleResolution": "bundler",
    "noEmit": True,
    "skipLibCheck": True,
    "strict": True,
    "target": "es2022",
}


def test_the_dashboard_is_one_by_grafanas_own_types(grafana: Path, tmp_path: Path) -> None:
    literal = json.dumps(dashboard(), indent=2)
    for text, member in MEMBERS.items():
        literal = literal.replace(text, member)
    (tmp_path / "dashboard.ts").write_text(f"{HEAD}{literal};\n", encoding="utf-8")
    for file in ("page.tsx", "node_modules"):
        (tmp_path / file).symlink_to(grafana / file)
    settings = {"compilerOptions": {**SETTINGS, "preserveSymlinks": True}, "files": ["dashboard.ts", "page.tsx"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    run([str(grafana / "node_modules/.bin/tsc"), "--project", "."], cwd=tmp_path)


@pytest.fixture
def told(workspace: Workspace, prometheus: Prometheus) -> dict[str, str]:
    """What the dashboard is asked for: replicas that a Prometheus has something of for each panel."""
    app = watched(workspace, prometheus, replicas=2)
    workspace.tailnet.call("POST", f"/lab/devices/{app.device().id}/expire", {"seconds": 30 * 24 * 60 * 60})
    variables = {"namespace": workspace.namespace, "statefulset": app.name}

    def missing() -> list[str]:
        app.exec("fetch", "-timeout=5s", f"http://{app.device(1).addresses[0]}/")
        return [title for title, asked in queries(**variables).items() if not any(map(prometheus.holds, asked))]

    wait_for(lambda: f"something in the panels {missing()}", lambda: missing() == [], 120)
    return variables


def test_every_panel_draws_what_replicas_say(grafana: Path, told: dict[str, str], browser: Any, tmp_path: Path) -> None:
    with page_address(grafana, tmp_path) as address:
        for view in VIEWS:
            page = look(browser, address, view, minutes=5, **told)
            assert page.locator("[data-panel]").count() == len(queries(**told))
            assert page.locator(".empty").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= view.width
            page.close()
