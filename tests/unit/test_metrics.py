"""The sidecar's own metrics: what the scripts count, and what a scrape is told, in the shells that they run in."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.sandbox import LATE_READER, PROGRAM, SHELLS, TAILSCALE, Sandbox
from tests.support.scraping import SAMPLE

LOCAL_API = """\
#!/bin/sh
read -r _ path _
path=${{path%%\\?*}}
file="$SANDBOX/api/${{path##*/}}"
if [ -e "$file" ]; then printf 'HTTP/1.0 200 OK\\r\\nX: y\\r\\n\\r\\n'; cat "$file"; else printf 'HTTP/1.0 404 Not Found\\r\\n\\r\\nno\\n'; fi
"""
NSLOOKUP = """\
#!/bin/sh
case " $(cat "$SANDBOX/names") " in *" $1@$2 "*) echo "Name: $1" ;; *) exit 1 ;; esac
"""
IP = """\
#!/bin/sh
cat "$SANDBOX/ip$1.$2" 2>/dev/null
"""
SELF = {"ID": "n1", "DNSName": "db-0.tail.ts.net.", "Online": True}
STATUS = {
    "Version": "1.104.5",
    "BackendState": "Running",
    "Self": SELF,
    "CurrentTailnet": {"MagicDNSSuffix": "tail.ts.net", "MagicDNSEnabled": True},
}
REQUEST = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(params=SHELLS)
def sidecar(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A sidecar that is on the tailnet, in a pod with a resolver."""
    sandbox = Sandbox(tmp_path, SHELLS[request.param])
    sandbox.program("nc", LOCAL_API)
    sandbox.program("nslookup", NSLOOKUP)
    sandbox.program("ip", IP)
    status(sandbox)
    sandbox.write("api/metrics", "other 1\ncontrolclient_map_response_message 3\n")
    sandbox.write("api/usermetrics", "# TYPE tailscaled_x counter\ntailscaled_x 4\n")
    sandbox.write("run/app.conf", "search db.svc.cluster.local svc.cluster.local\nnameserver 127.0.0.1\n")
    sandbox.write("names", "kubernetes.default.svc.cluster.local@127.0.0.1 db-0.tail.ts.net@127.0.0.1")
    return sandbox


def status(sidecar: Sandbox, own: Mapping[str, object] = SELF, **changes: object) -> None:
    sidecar.write("api/status", json.dumps({**STATUS, "Self": own, **changes}, indent="\t"))


def scrape(sidecar: Sandbox, flags: str = "--accept-routes=false") -> dict[str, float]:
    env = {"TS_EXTRA_ARGS": flags}
    head, _, body = sidecar.run("metrics.sh", stdin=REQUEST, env=env).stdout.partition("\n\n")
    assert f"Content-Length: {len(body)}" in head
    return {name.removeprefix("tailscale_sidecar_"): float(value) for name, value in SAMPLE.findall(body)}


def test_a_replica_in_touch_with_the_control_plane_is_connected(sidecar: Sandbox) -> None:
    assert scrape(sidecar)["connected"] == 1


@pytest.mark.parametrize(
    "changes",
    [{"BackendState": "NeedsLogin"}, {"BackendState": "Stopped"}, {"own": {**SELF, "Online": False}}],
    ids=["no login", "disconnected", "out of touch"],
)
def test_any_other_replica_is_not(sidecar: Sandbox, changes: dict[str, Any]) -> None:
    status(sidecar, **changes)
    assert scrape(sidecar)["connected"] == 0


def test_a_peer_that_is_online_does_not_make_a_replica_connected(sidecar: Sandbox) -> None:
    status(sidecar, {**SELF, "Online": False}, ExitNodeStatus={"ID": "n2", "Online": True})
    assert scrape(sidecar)["connected"] == 0


def test_without_tailscaled_it_still_answers_and_says_so(sidecar: Sandbox) -> None:
    sidecar.program("nc", "#!/bin/sh\nexit 1\n")
    found = scrape(sidecar)
    assert found["connected"] == 0
    assert not any(name.startswith("tailscaled") for name in found)


def test_tailscaleds_own_metrics_follow(sidecar: Sandbox) -> None:
    assert scrape(sidecar)["tailscaled_x"] == 4


def test_an_error_of_the_local_api_is_no_metric(sidecar: Sandbox) -> None:
    (sidecar.folder / "api/usermetrics").unlink()
    assert "no" not in scrape(sidecar)


def test_what_can_be_counted_is_there_at_zero_with_every_label(sidecar: Sandbox) -> None:
    found = scrape(sidecar)
    assert found["logins_total"] == 0
    reasons = {"credential_missing", "credential_refused", "tags_refused", "rate_limited", "unreachable", "other"}
    for metric, label, values in (
        ("login_failures_total", "reason", reasons),
        ("restarts_total", "cause", {"device_deleted", "tailscaled_ended", "other"}),
    ):
        series = {name: value for name, value in found.items() if name.startswith(metric)}
        assert series == {f'{metric}{{{label}="{value}"}}': 0 for value in values}


def test_the_last_answer_of_the_control_plane_ages_while_there_is_no_new_one(sidecar: Sandbox) -> None:
    answered = "control_plane_last_answer_timestamp_seconds"
    assert scrape(sidecar)[answered] == pytest.approx(time.time(), abs=5)
    sidecar.write("run/messages", "3 1000\n")
    assert scrape(sidecar)[answered] == 1000
    sidecar.write("api/metrics", "controlclient_map_response_message 4\n")
    assert scrape(sidecar)[answered] == pytest.approx(time.time(), abs=5)


def test_a_tailscaled_that_was_never_answered_has_no_last_answer(sidecar: Sandbox) -> None:
    sidecar.write("api/metrics", "controlclient_map_response_message 0\n")
    assert "control_plane_last_answer_timestamp_seconds" not in scrape(sidecar)


def test_the_keys_expiry_is_in_seconds_of_utc(sidecar: Sandbox) -> None:
    assert "key_expiry_timestamp_seconds" not in scrape(sidecar)
    status(sidecar, {**SELF, "KeyExpiry": "2027-01-02T03:04:05Z"})
    assert scrape(sidecar)["key_expiry_timestamp_seconds"] == 1798859045


@pytest.mark.parametrize(
    ("guarded", "routes", "overlapping"),
    [
        ("10.96.0.0/12", "10.0.0.0/8", 1),
        ("10.96.0.0/12", "10.97.3.0/24", 1),
        ("10.96.0.10", "10.96.0.0/16", 1),
        ("10.96.0.0/12", "10.112.0.0/12 192.168.0.0/16", 0),
        ("10.0.0.0/9 10.96.0.0/12", "10.97.0.0/16 10.98.0.0/16", 2),
        ("fd00:10:96::/112", "fd00:10::/32 fd00:11::/32", 1),
        ("fd00:10:96::a", "fd00::/8 fd00:10:96::/64", 2),
        ("10.96.0.0/12", "fd00::/8", 0),
    ],
)
def test_routes_of_the_tailnet_that_overlap_the_clusters_are_counted(
    sidecar: Sandbox, guarded: str, routes: str, overlapping: int
) -> None:
    sidecar.write("run/prepared", "")
    sidecar.write("ip-4.rule", "0:\tfrom all lookup local\n5270:\tfrom all lookup 52\n")
    sidecar.write("ip-4.route", "100.100.100.100 dev tailscale0\ndefault dev tailscale0\nthrow 127.0.0.0/8\n")
    for cidr in guarded.split():
        file = sidecar.folder / f"ip-{6 if ':' in cidr else 4}.rule"
        sidecar.write(file.name, sidecar.read(file.name) + f"5000:\tfrom all to {cidr} lookup main\n")
    for cidr in routes.split():
        file = sidecar.folder / f"ip-{6 if ':' in cidr else 4}.route"
        sidecar.write(file.name, sidecar.read(file.name) + f"{cidr} dev tailscale0 metric 1\n")
    assert scrape(sidecar, "--accept-routes=true")["overlapping_routes"] == overlapping


def test_names_are_looked_up_where_the_app_looks_them_up(sidecar: Sandbox) -> None:
    cluster, tailnet = 'resolver_answers{names="cluster"}', 'resolver_answers{names="tailnet"}'
    assert (scrape(sidecar)[cluster], scrape(sidecar)[tailnet]) == (1, 1)
    sidecar.write("names", "kubernetes.default.svc.cluster.local@127.0.0.1 db-0.tail.ts.net@100.100.100.100")
    assert (scrape(sidecar)[cluster], scrape(sidecar)[tailnet]) == (1, 0)
    sidecar.write("names", "")
    assert scrape(sidecar)[cluster] == 0


def test_the_tailnets_names_are_not_looked_up_where_the_app_does_not(sidecar: Sandbox) -> None:
    tailnet = 'resolver_answers{names="tailnet"}'
    status(sidecar, CurrentTailnet={"MagicDNSEnabled": False})
    assert tailnet not in scrape(sidecar)
    status(sidecar)
    (sidecar.folder / "run/app.conf").rename(sidecar.folder / "resolv.conf")
    found = scrape(sidecar)
    assert found['resolver_answers{names="cluster"}'] == 1
    assert tailnet not in found


def test_names_help_and_types_follow_prometheus_conventions(sidecar: Sandbox) -> None:
    status(sidecar, {**SELF, "KeyExpiry": "2027-01-02T03:04:05Z"})
    body = sidecar.run("metrics.sh", stdin=REQUEST).stdout.partition("\n\n")[2]
    types = dict(re.findall(r"^# TYPE (tailscale_sidecar_\w+) (\w+)$", body, re.MULTILINE))
    helped = re.findall(r"^# HELP (tailscale_sidecar_\w+) [A-Z].*\.$", body, re.MULTILINE)
    sampled = {name.partition("{")[0] for name, _ in SAMPLE.findall(body) if name.startswith("tailscale_sidecar_")}
    assert set(types) == set(helped) == sampled
    assert {name for name, kind in types.items() if kind == "counter"} == {n for n in types if n.endswith("_total")}


@pytest.mark.parametrize("request_line", ["GET / HTTP/1.1", "POST /metrics HTTP/1.1", "GET /metricsx HTTP/1.1", ""])
def test_every_other_request_is_refused(sidecar: Sandbox, request_line: str) -> None:
    said = sidecar.run("metrics.sh", stdin=f"{request_line}\r\n\r\n").stdout
    assert said.startswith("HTTP/1.0 404 ")
    assert "tailscale" not in said


# What is counted


def start(sidecar: Sandbox) -> None:
    """A start of the sidecar, whose listener ends as soon as the test is through."""
    sidecar.program("containerboot")
    sidecar.program("sleep", "#!/bin/sh\nkill -9 $PPID\n")
    sidecar.program("nc", "#!/bin/sh\n")
    env = {"POD_IP": "10.0.0.1", "MONITORING_PORT": "9004"}
    done = sidecar.run("count.sh+serve.sh+start.sh", "connect", "tailscaled", "the answer", env=env)
    assert done.returncode == 0, done.stderr


def restarts(sidecar: Sandbox) -> dict[str, str]:
    return {file.name: file.read_text().strip() for file in (sidecar.folder / "run/counts").glob("restarts.*")}


def test_the_first_start_of_a_pod_is_no_restart(sidecar: Sandbox) -> None:
    start(sidecar)
    assert restarts(sidecar) == {}
    assert sidecar.read("run/metrics.sh") == "the answer"


def test_restarts_are_counted_by_cause_once_each(sidecar: Sandbox) -> None:
    start(sidecar)
    for cause in ("device_deleted", None, None):
        if cause:
            sidecar.write("run/cause", f"{cause}\n")
        start(sidecar)
    assert restarts(sidecar) == {"restarts.device_deleted": "1", "restarts.other": "2"}


@pytest.mark.parametrize(
    ("log", "cause"),
    [("PollNetMap: initial fetch failed 404: node not found\n" * 2, "device_deleted"), ("x\n", "tailscaled_ended")],
)
def test_why_the_sidecar_ended_stays_for_the_next_start(sidecar: Sandbox, log: str, cause: str) -> None:
    sidecar.write("log-lines", log)
    sidecar.program("tailscaled", '#!/bin/sh\ncat "$SANDBOX/log-lines" >&2\nexec /bin/sleep 1\n')
    sidecar.run("ended.sh+tailscaled.sh", parent='"$@"; exit 0')
    assert sidecar.read("run/cause").strip() == cause


LOGIN = (
    PROGRAM + 'case " $* " in *" up --force-reauth "*) cat "$SANDBOX/said" >&2; exit "$(cat "$SANDBOX/code")" ;; esac\n'
)


def log_in(sidecar: Sandbox, said: str, code: int) -> tuple[dict[str, str], str]:
    """One login by the function that stands before the real command: what was counted, and what the log has."""
    sidecar.program("tailscale", LOGIN)
    sidecar.write("said", said)
    sidecar.write("code", str(code))
    env = {"CREDENTIAL_FILE": str(sidecar.folder / "credential")}
    done = sidecar.run(
        "count.sh+logins.sh", env=env, then="is_outrun() { false; }\ntailscale --socket=/tmp/s up --force-reauth"
    )
    assert done.returncode == code
    counts = {file.name: file.read_text().strip() for file in (sidecar.folder / "run/counts").iterdir()}
    return counts, done.stderr


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("backend error: invalid key: API key k1 not valid", "credential_refused"),
        ("backend error: invalid key: unable to validate API key", "credential_refused"),
        ('oauth2: cannot fetch token: 401 Unauthorized\nResponse: {"message":"API token invalid"}', "credential_refused"),
        ('Status: 400, Message: "requested tags [tag:x] are invalid or not permitted"', "tags_refused"),
        ("register request: http 429: rate limited", "rate_limited"),
        ('Post "https://api.tailscale.com/api/v2/oauth/token": dial tcp: lookup api.tailscale.com: no such host', "unreachable"),
        ("Status: 503, Message: unavailable", "unreachable"),
        ("something else", "other"),
    ],
)  # fmt: skip
def test_a_failed_login_is_counted_by_its_reason(sidecar: Sandbox, said: str, reason: str) -> None:
    sidecar.write("credential", "x")
    counts, log = log_in(sidecar, said, 1)
    assert counts == {f"login_failures.{reason}": "1"}
    assert said in log


def test_a_login_without_a_credential_is_counted_as_that(sidecar: Sandbox) -> None:
    counts, _ = log_in(sidecar, "whatever", 1)
    assert counts == {"login_failures.credential_missing": "1"}


def test_a_login_that_succeeds_is_counted(sidecar: Sandbox) -> None:
    assert log_in(sidecar, "", 0)[0] == {"logins": "1"}
    assert log_in(sidecar, "", 0)[0] == {"logins": "2"}


def test_connect_sh_counts_each_of_its_logins(sidecar: Sandbox) -> None:
    sidecar.program("tailscale", TAILSCALE)
    sidecar.program("sleep")
    sidecar.write("failures", "1\n1\n")
    sidecar.write("status", json.dumps({"BackendState": "NeedsLogin", "HaveNodeKey": False, "x": 1}))
    sidecar.write("status-after-up", json.dumps({"BackendState": "Running", "HaveNodeKey": True, "x": 1}))
    sidecar.write("prefs", json.dumps({"x": 1}))
    credential = str(sidecar.write("auth/TS_CLIENT_SECRET", "tskey-client-x"))
    done = sidecar.run(
        "count.sh+logins.sh+connect.sh",
        "--socket=/tmp/s",
        "up",
        env={"CREDENTIAL_FLAG": "--client-secret", "CREDENTIAL_ATTRIBUTES": "", "CREDENTIAL_FILE": credential},
        parent=LATE_READER,
    )
    assert done.returncode == 0, done.stderr
    assert sidecar.read("run/counts/logins").strip() == "1"
    assert sidecar.read("run/counts/login_failures.other").strip() == "2"
