"""The alerts: when they would tell somebody, by promtool; and on the lab, where each is made to fire and to clear."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tailscale_sidecar.choices.monitoring import alerts
from tests.lab import binaries
from tests.lab.prometheus_server import Prometheus
from tests.lab.shell import run, wait_for
from tests.support.credentials import wrong_oauth_client
from tests.support.dashboard_page import queries
from tests.support.deployment import Workspace
from tests.support.outages import control_plane_away
from tests.support.scraping import watched
from tests.support.sidecar import Sidecar, stopped

OF = 'job="db/my-app"'
LABELS = f'{OF},namespace="db",pod="my-app-0"'
NAMES = {alert.name for alert in alerts.ALERTS}
DAY = 24 * 60 * 60

# What each series is, a minute a value, and for an alert the minutes before which, and at which, it fires.
# In Prometheus' notation `0x9` is ten zeros and `0+1x9` counts from 0 to 9.
COURSES: dict[str, tuple[dict[str, str], list[tuple[str, bool]]]] = {
    "TailscaleReplicaNotConnected": (
        {f"tailscale_sidecar_connected{{{LABELS}}}": "1x9 0x19 1x9"},
        [("14m", False), ("16m", True), ("31m", False)],
    ),
    "TailscaleStatefulSetNotConnected": (
        {
            f"up{{{LABELS}}}": "1x39",
            f"tailscale_sidecar_connected{{{LABELS}}}": "1x9 0x29",
            f"tailscale_sidecar_connected{{{OF},namespace=\"db\",pod=\"my-app-1\"}}": "1x19 0x9 1x9",
        },
        [("19m", False), ("24m", False), ("26m", True), ("31m", False)],
    ),
    "TailscaleLoginFailing": (
        {f'tailscale_sidecar_login_failures_total{{{LABELS},reason="other"}}': "0x4 0+1x9 9x30"},
        [("5m", False), ("9m", False), ("12m", True), ("27m", False)],
    ),
    "TailscaleKeyExpires": (
        {f"tailscale_sidecar_key_expiry_timestamp_seconds{{{LABELS}}}": f"{7 * 86400 + 600}x40 {90 * 86400}x9"},
        [("10m", False), ("20m", False), ("22m", True), ("42m", False)],
    ),
    "TailscaleDeviceDeleted": (
        {f'tailscale_sidecar_restarts_total{{{LABELS},cause="device_deleted"}}': "0x9 1x90"},
        [("9m", False), ("11m", True), ("65m", True), ("75m", False)],
    ),
    "TailscaleReplicaFlapping": (
        {f"tailscale_sidecar_connected{{{LABELS}}}": "1x9 0x3 1x3 0x3 1x3 0x3 1x90"},
        [("28m", False), ("35m", True), ("100m", False)],
    ),
    "TailscaleTrafficRelayed": (
        {
            f'tailscaled_inbound_bytes_total{{{LABELS},path="derp"}}': "0+60000x180",
            f'tailscaled_inbound_bytes_total{{{LABELS},path="direct_ipv4"}}': "0x100 0+60000x80",
        },
        [("30m", False), ("55m", False), ("66m", True), ("105m", False)],
    ),
    "TailscaleResolverFailing": (
        {f'tailscale_sidecar_resolver_answers{{{LABELS},names="tailnet"}}': "1x9 0x9 1x9"},
        [("14m", False), ("16m", True), ("21m", False)],
    ),
}  # fmt: skip


Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs promtool."""
    program = binaries.ensure(binaries.PROMETHEUS) / "promtool"
    return lambda *arguments: run([program, *arguments])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(alerts.rules(OF)))
    return file


def test_promtool_has_nothing_to_say_of_the_rules(promtool: Promtool, rules: Path) -> None:
    assert f"{len(NAMES)} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_alert_fires_when_it_has_lasted_and_clears_when_it_is_over(
    promtool: Promtool, rules: Path, name: str
) -> None:
    series, course = COURSES[name]
    firing = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
    expected = [
        {"expr": firing, "eval_time": at, "exp_samples": [{"labels": "{}", "value": int(fires)}]}
        for at, fires in course
    ]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": expected,
    }
    file = rules.with_name("tests.json")
    file.write_text(json.dumps({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": [test]}))
    promtool("test", "rules", str(file))


def test_promtool_takes_the_dashboards_queries(promtool: Promtool, tmp_path: Path) -> None:
    panels = queries(namespace="db", statefulset="my-app")
    asked = [query for queries_of_one in panels.values() for query in queries_of_one]
    file = tmp_path / "queries.json"
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(asked)]
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(asked)} rules found" in promtool("check", "rules", "--lint=none", str(file))


@pytest.mark.parametrize("alert", alerts.ALERTS, ids=lambda alert: alert.name)
def test_an_alert_leads_to_a_page_that_says_what_to_do(alert: alerts.Alert) -> None:
    page = Path(__file__).parents[2] / "docs/runbooks" / f"{alert.page}.md"
    text = page.read_text(encoding="utf-8")
    assert alert.name in text
    for heading in ("Cause", "How to see it", "What to do", "How it was reproduced"):
        assert f"\n## {heading}\n" in text, page
    assert re.search(rf"for {alert.lasts}\b|at once", text) or alert.lasts == "0m"


# On the lab


def await_firing(prometheus: Prometheus, *names: str, seconds: float = 90) -> None:
    """Waits until exactly these alerts fire."""
    wait_for(lambda: f"{names} to fire; {prometheus.firing()} do", lambda: prometheus.firing() == set(names), seconds)


@pytest.mark.wide
def test_alerts_that_follow_a_lost_control_plane_fire_and_clear(workspace: Workspace, prometheus: Prometheus) -> None:
    watched(workspace, prometheus, replicas=2)
    connected = "count(tailscale_sidecar_connected == 1)"
    wait_for("both replicas to be scraped", lambda: [s["value"][1] for s in prometheus.samples(connected)] == ["2"])
    await_firing(prometheus)
    with control_plane_away(workspace.lab, workspace.tailnet):
        await_firing(prometheus, "TailscaleReplicaNotConnected", "TailscaleStatefulSetNotConnected")
        silence = "max(time() - tailscale_sidecar_control_plane_last_answer_timestamp_seconds)"
        wait_for("the last answer to age", lambda: float(prometheus.samples(silence)[0]["value"][1]) > 10)
    await_firing(prometheus)


@pytest.mark.wide
def test_a_refused_credential_fires_and_a_corrected_one_clears(workspace: Workspace, prometheus: Prometheus) -> None:
    app = watched(workspace, prometheus, auth=wrong_oauth_client(workspace.tailnet), wait=False)
    not_connected = {"TailscaleReplicaNotConnected", "TailscaleStatefulSetNotConnected"}
    await_firing(prometheus, "TailscaleLoginFailing", *not_connected)
    failures = 'tailscale_sidecar_login_failures_total{reason="credential_refused"} > 0'
    assert prometheus.holds(failures)
    app.change(auth=workspace.oauth())
    await_firing(prometheus, seconds=150)


@pytest.mark.wide
def test_a_deleted_device_fires(workspace: Workspace, prometheus: Prometheus) -> None:
    app = watched(workspace, prometheus)
    sidecar = Sidecar(app)
    restarts = sidecar.status()["restartCount"]
    wait_for("the replica to be scraped", lambda: prometheus.holds("tailscale_sidecar_connected == 1"))
    workspace.tailnet.call("DELETE", f"/lab/devices/{app.device().id}")
    sidecar.await_return(restarts, seconds=120)
    wait_for(lambda: f"it to fire: {prometheus.firing()}", lambda: "TailscaleDeviceDeleted" in prometheus.firing())
    await_firing(prometheus)


@pytest.mark.wide
def test_a_key_that_will_expire_fires_until_it_is_renewed(workspace: Workspace, prometheus: Prometheus) -> None:
    app = watched(workspace, prometheus)
    expire = f"/lab/devices/{app.device().id}/expire"
    workspace.tailnet.call("POST", expire, {"seconds": 5 * DAY})
    await_firing(prometheus, "TailscaleKeyExpires")
    workspace.tailnet.call("POST", expire, {"seconds": 90 * DAY})
    await_firing(prometheus)


@pytest.mark.wide
def test_traffic_that_only_a_relay_brings_fires_while_it_lasts(workspace: Workspace, prometheus: Prometheus) -> None:
    app = watched(workspace, prometheus, replicas=2, env={"TS_DEBUG_ALWAYS_USE_DERP": "true"})
    url = f"http://{app.device(1).addresses[0]}/"

    def fires() -> bool:
        for _ in range(5):
            app.exec("fetch", "-timeout=5s", url)
        return "TailscaleTrafficRelayed" in prometheus.firing()

    wait_for(lambda: f"it to fire: {prometheus.firing()}", fires, 120)
    await_firing(prometheus)


@pytest.mark.wide
def test_a_resolver_that_does_not_answer_fires_until_it_does(workspace: Workspace, prometheus: Prometheus) -> None:
    app = watched(workspace, prometheus)
    resolver = Sidecar(app, container="tailscale-dns")
    wait_for("its answers to be scraped", lambda: prometheus.holds("tailscale_sidecar_resolver_answers == 1"))
    with stopped(resolver.pids("coredns")[0]):
        await_firing(prometheus, "TailscaleResolverFailing")
    await_firing(prometheus)


@pytest.mark.wide
def test_a_sidecar_that_ends_again_and_again_fires(workspace: Workspace, prometheus: Prometheus) -> None:
    sidecar = Sidecar(watched(workspace, prometheus))
    ends = 'tailscale_sidecar_restarts_total{cause="tailscaled_ended"}'
    wait_for("the replica to be scraped", lambda: prometheus.holds(f"{ends} == 0"))
    fired = False
    for number in range(1, 7):
        sidecar.crash()
        wait_for("the restart to be scraped", partial(prometheus.holds, f"{ends} == {number}"))
        if fired := "TailscaleReplicaFlapping" in prometheus.firing():
            break
    assert fired
    await_firing(prometheus, seconds=240)
