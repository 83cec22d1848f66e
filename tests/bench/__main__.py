"""Measures, prints a table and writes docs/benchmarks.md."""

from __future__ import annotations

import datetime
import os
import platform
import secrets
import statistics
import time
from pathlib import Path

from tests.cluster.deployment import Workspace
from tests.lab import Lab, LabError
from tests.lab.shell import step
from tests.lab.tailnet_client import Tailnet

from .subjects import CLUSTER_NAME, Subject, subjects

RUNS = 5
IDLE_SECONDS = 30
FAULT_SECONDS = 60
FETCHES = 200
REPORT = Path(__file__).parents[2] / "docs/benchmarks.md"

Row = dict[str, str]


def main() -> None:
    """Runs all measurements, subject by subject in turn, so that a slow moment of the machine meets all alike."""
    lab = Lab.start()
    lab.enter()
    tailnet = Tailnet(lab.tailnet_url)
    dns = {"split": {"svc.cluster.local": ["10.96.0.10"]}, "nameservers": ["10.200.0.2"]}
    tailnet.call("PUT", "/lab/dns", dns)
    name = f"bench-{secrets.token_hex(2)}"
    lab.kubectl("create", "namespace", name)
    measured = subjects(Workspace(lab, tailnet, name))
    try:
        rows = measure_all(measured)
    finally:
        lab.kubectl("delete", "namespace", name, "--wait=false")
    table = as_table(rows)
    print(table)
    REPORT.write_text(report(table), encoding="utf-8")


def measure_all(measured: list[Subject]) -> dict[str, Row]:
    """All rows of all subjects."""
    rows: dict[str, Row] = {subject.label: {} for subject in measured}
    starts = measure_starts(measured, rows)
    for subject in measured:
        guide, own = statistics.median(starts["guide"]), statistics.median(starts[subject.label])
        rows[subject.label]["restart to look-ups work, median"] = f"{own:.1f} s"
        rows[subject.label]["beside the guide's"] = f"{own / guide:.2f}"
    for subject in measured:
        with step(f"{subject.label}: memory, CPU, faults"):
            rows[subject.label] |= measure_use(subject) | measure_faults(subject)
    return rows


def measure_starts(measured: list[Subject], rows: dict[str, Row]) -> dict[str, list[float]]:
    """Starts each subject's replica again and again, in turn."""
    starts: dict[str, list[float]] = {subject.label: [] for subject in measured}
    for subject in measured:
        subject.deploy()
        with step(f"{subject.label}: first start"):
            rows[subject.label]["first start to look-ups work"] = f"{subject.start():.1f} s"
        subject.stop()
    before = {subject.label: subject.api_calls() for subject in measured}
    for run in range(RUNS):
        with step(f"restart {run + 1} of {RUNS}"):
            for subject in measured:
                starts[subject.label].append(subject.start())
                subject.stop()
    for subject in measured:
        calls = subject.api_calls() - before[subject.label]
        rows[subject.label]["API calls a restart"] = f"{calls / RUNS:.0f}"
    return starts


def measure_use(subject: Subject) -> Row:
    """Memory and CPU of the sidecar's containers, idle and under load."""
    subject.start()
    before = subject.usage()
    time.sleep(IDLE_SECONDS)  # this is the measurement
    after = subject.usage()
    row = {f"idle memory of {name}": f"{memory / 2**20:.0f} MiB" for name, (memory, _) in after.items()}
    row["idle memory, all"] = f"{sum(memory for memory, _ in after.values()) / 2**20:.0f} MiB"
    idle = sum(after[name][1] - before[name][1] for name in after) / 1e9 / IDLE_SECONDS
    row["idle CPU"] = f"{idle * 1000:.0f} mCPU"
    name = "localhost" if subject.label == "ClusterDns" else subject.magic_name
    load = (
        f"for i in $(seq {FETCHES}); do fetch http://{name}/ >/dev/null; resolve-musl {CLUSTER_NAME} >/dev/null; done"
    )
    subject.exec("sh", "-c", f"{load}; true")
    loaded = subject.usage()
    row["memory after 200 requests and look-ups"] = f"{sum(m for m, _ in loaded.values()) / 2**20:.0f} MiB"
    return row


def measure_faults(subject: Subject) -> Row:
    """What the app's look-ups see of a crash, and of an overlapping route."""
    row = {}
    tailnet = subject.workspace.tailnet
    with tailnet.router(f"overlap-{subject.name}", ["10.96.0.0/16", "10.244.0.0/16"]):
        row["look-ups failed with the cluster's CIDR advertised"] = share(*subject.look_ups(CLUSTER_NAME, 15))
    subject.exec("sh", "-c", "kill -9 $(pidof tailscaled)", container="tailscale")
    row["look-ups failed in the minute after a crash"] = share(*subject.look_ups(CLUSTER_NAME, FAULT_SECONDS))
    row["on the tailnet a minute after a crash"] = "yes" if tailnet.device(subject.pod).online else "no"
    try:
        subject.stop()
    except LabError:
        row["on the tailnet a minute after a crash"] += ", and the pod does not end"
    return row


def share(failed: int, total: int) -> str:
    """`3 of 40`."""
    return f"{failed} of {total}"


def as_table(rows: dict[str, Row]) -> str:
    """A Markdown table, a column for each subject."""
    figures = list(dict.fromkeys(figure for row in rows.values() for figure in row))
    lines = [f"| | {' | '.join(rows)} |", f"| --- |{' --- |' * len(rows)}"]
    lines += [f"| {figure} | {' | '.join(row.get(figure, '') for row in rows.values())} |" for figure in figures]
    return "\n".join(lines)


def report(table: str) -> str:
    """docs/benchmarks.md."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().partition('-')[0]}"
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return (
        "# Benchmarks\n\n"
        f"`make bench` wrote this on {today}: {machine}, one node, one replica of each. The guide's manifest and the\n"
        "component in each DNS mode, in the same run on the same lab; all with `--accept-routes`. The tailnet has the\n"
        f"guide's split DNS route and a global nameserver. Restarts: {RUNS} of each, in turn. Single figures are of this\n"
        "machine and moment; compare columns.\n\n"
        f"{table}\n"
    )


if __name__ == "__main__":
    main()
