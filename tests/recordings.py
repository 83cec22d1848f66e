"""Terminal text in docs/: recorded from the sites of the unit tests. `python -m tests.recordings` writes it anew."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import yaml

from tailscale_sidecar.__main__ import main as main_of_command
from tailscale_sidecar.checks import catalogue
from tailscale_sidecar.clients.kubeconfig import ClusterAccess
from tailscale_sidecar.clients.kubernetes import connect
from tailscale_sidecar.commands import preflight
from tailscale_sidecar.commands.doctor import as_text, diagnose
from tailscale_sidecar.inspection.deployment_plan import Plan
from tailscale_sidecar.inspection.deployment_target import survey
from tailscale_sidecar.report.findings import CODE, GUIDE, Defect
from tailscale_sidecar.report.progress import Progress
from tailscale_sidecar.report.text import Style
from tests.support.api_server import ApiServer
from tests.support.examples import ROOT
from tests.support.planted import no_state
from tests.support.site import NAME, Site, api_device, by_hand, cluster_objects, component, device

NIGHT = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
BLOCK = re.compile(r"(<!-- recorded: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def doctor_by_hand() -> str:
    """The guide's manifest after a crash."""
    with by_hand() as site:
        log = 'boot: 2026/11/24 03:11:29 getting Tailscale state Secret my-app-1: Get "https://kubernetes.default.svc/api/v1/namespaces/db/secrets/my-app-1": context deadline exceeded'
        site.crash(log, ordinal=1, finishedAt="2026-11-24T03:11:29Z")
        site.statuses[f"{NAME}-1"] = None
        status = site.statuses[f"{NAME}-0"]
        for peer in (status or {})["Peer"].values():
            peer.update(Online=False, LastSeen="2026-11-24T02:58:00Z")
        return diagnosis(site, "db/my-app")


def doctor_component() -> str:
    """Nothing to say."""
    with component() as site:
        return diagnosis(site, "db/my-app")


def diagnosis(site: Site, arguments: str) -> str:
    """What `doctor` prints on a site."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot = replace(site.snapshot(Path(folder)), now=NIGHT)
    return terminal(f"tailscale-sidecar doctor {arguments}", as_text(snapshot, diagnose(snapshot), Style()))


def before_deploying() -> str:
    """A tailnet and a namespace that are in the way."""
    server = ApiServer(cluster_objects())
    router = api_device(device("office-router", 8, PrimaryRoutes=["10.96.0.0/16"]))
    server.tailscale = {
        "devices": {"devices": [router]},
        "dns/nameservers": {"dns": []},
        "dns/split-dns": {},
        "dns/preferences": {"magicDNS": True},
        "acl": {"tagOwners": {"tag:k8s": ["autogroup:admin"]}},
    }
    why = 'privileged (container "tailscale" must not set securityContext.privileged=true)'
    forbidden = f'pods "my-app-x7k2p" is forbidden: violates PodSecurity "baseline:latest": {why}'
    server.judge = lambda _: (403, {"message": forbidden})
    pod = {"kind": "Pod", "metadata": {"generateName": "my-app-"}, "spec": {"containers": []}}
    plan = Plan(namespace="db", accepts_routes=True, tags=("tag:db",), pod=pod)
    with server.serve(), tempfile.TemporaryDirectory() as folder:
        environment = {"TS_API_KEY": "tskey-api-kDEMO", "TS_BASE_URL": server.url}
        access = ClusterAccess(str(server.kubeconfig(Path(folder))))
        with connect(access, None, "preflight") as cluster, mock.patch.dict(os.environ, environment):
            found = survey(cluster, [plan], [], Progress())
    lines = preflight.as_text(found, [plan], preflight.object_to(found, [plan]), Style())
    return terminal("tailscale-sidecar preflight -n db --tag tag:db --accept-routes", lines)


def adopted() -> tuple[str, str]:
    """The program that `adopt` prints, and the rest."""
    out, error = io.StringIO(), io.StringIO()
    with by_hand() as site, tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        kubeconfig = f"--kubeconfig={site.server.kubeconfig(Path(folder), 'db')}"
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            main_of_command(["adopt", "db/my-app", "--import-file=import.json", kubeconfig])
    return out.getvalue(), error.getvalue()


def linted() -> str:
    """A StatefulSet whose state goes nowhere."""
    with by_hand() as site, tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        no_state(site)
        Path("my-app.yaml").write_text(yaml.safe_dump_all(site.workloads, sort_keys=False), encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            main_of_command(["lint", "-f", "my-app.yaml"])
    text = out.getvalue()
    return terminal("tailscale-sidecar lint -f my-app.yaml", [*text.splitlines()[:5], "..."])


def terminal(command: str, lines: list[str]) -> str:
    """A command with what it printed, indented as Markdown wants it."""
    return "".join(f"    {line}".rstrip() + "\n" for line in [f"$ {command}", *lines])


def known(defects: list[Defect]) -> str:
    """A table of defects, each with the reason why it is one."""
    rows = [f"| `{d.name}` | {d.severity} | {d.why} [{origin(d)}]({d.source.removeprefix('docs/')}) |" for d in defects]
    return "\n".join(["| name | | why |", "| --- | --- | --- |", *rows]) + "\n"


def origin(defect: Defect) -> str:
    """What kind of source it has."""
    kinds = {GUIDE: "Guide", CODE: "Code", "docs/": "Here"}
    return next((kind for start, kind in kinds.items() if defect.source.startswith(start)), "Source")


RECORDINGS: dict[str, Callable[[], str]] = {
    "adopt-program": lambda: f"```python\n{adopted()[0]}```\n",
    "adopt-steps": lambda: terminal(
        "tailscale-sidecar adopt db/my-app --import-file import.json > __main__.py", adopted()[1].splitlines()
    ),
    "doctor-by-hand": doctor_by_hand,
    "doctor-component": doctor_component,
    "lint": linted,
    "preflight": before_deploying,
    "defects-of-doctor": lambda: known(catalogue.doctor()),
    "defects-of-policy": lambda: known(catalogue.policy()),
    "defects-of-preflight": lambda: known(catalogue.preflight()),
}


def recorded(page: str) -> str:
    """A page with all recordings made anew."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{RECORDINGS[match[2]]()}\n{match[4]}", page)


def main() -> None:
    """Writes the pages."""
    for path in sorted(ROOT.glob("docs/*.md")):
        text = path.read_text(encoding="utf-8")
        path.write_text(recorded(text), encoding="utf-8")


if __name__ == "__main__":
    main()
