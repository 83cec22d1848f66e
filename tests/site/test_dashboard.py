"""The Grafana dashboard, beside the types that Grafana itself gives one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tailscale_sidecar.commands.dashboard import dashboard
from tests.lab.shell import find_command, run

GRAFANA, TYPESCRIPT = "13.2.3", "5.9.3"
"""Versions of the packages @grafana/schema and typescript."""
HEAD = 'import { type Dashboard, MappingType } from "@grafana/schema";\nexport const dashboard: Dashboard = '
SETTINGS = {"strict": True, "noEmit": True, "skipLibCheck": True, "module": "nodenext", "target": "es2022"}


def test_the_dashboard_is_one_by_grafanas_own_types(tmp_path: Path) -> None:
    if find_command("npm") is None:
        pytest.skip("! the dashboard is not checked by Grafana's types: npm is missing; install Node.js")
    packages = {"dependencies": {"@grafana/schema": GRAFANA, "typescript": TYPESCRIPT}}
    (tmp_path / "package.json").write_text(json.dumps(packages))
    run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=tmp_path)
    # A member of an enum, which no JSON has.
    literal = json.dumps(dashboard(), indent=2).replace('"type": "value"', '"type": MappingType.ValueToText')
    (tmp_path / "dashboard.ts").write_text(f"{HEAD}{literal};\n", encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": SETTINGS, "files": ["dashboard.ts"]}))
    run(["npx", "--no-install", "tsc", "--project", "."], cwd=tmp_path)
