"""`tailscale-sidecar doctor`: what is wrong with replicas that run, whether made by this component or by hand."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime

from ..checks import catalogue
from ..checks.devices import device_name
from ..checks.words import ago
from ..clients.errors import ClusterError, ExtraMissingError
from ..clients.kubeconfig import ClusterAccess
from ..clients.kubernetes import Cluster, connect
from ..inspection.changes import Watch
from ..inspection.gather import Scope, in_trouble, look
from ..inspection.known_workload import KnownWorkload
from ..inspection.snapshot import Replica, Snapshot
from ..inspection.unknown_values import known
from ..inspection.workload import Workload
from ..pod.objects import Json
from ..report.findings import ExitStatus, Finding, exit_status, sorted_findings
from ..report.progress import Progress
from ..report.text import ERASE_SCREEN, Style, findings_text, gaps_text, summary, table
from .options import UsageError, add_cluster_arguments, add_target_arguments, target

FEW = 20
"""Replicas of one workload that are all shown; of more, only those with something to say, unless --all."""
HEAD = ("POD", "STATUS", "RESTARTS", "STATE", "DEVICE", "ADDRESS", "TAILNET", "KEY EXPIRES")
UNKNOWN = "?"


def diagnose(snapshot: Snapshot) -> list[Finding]:
    """All that is wrong, the worst first. Needs nothing but the snapshot."""
    workloads = [KnownWorkload(known(workload.manifest)) for workload in snapshot.workloads]
    found = [*catalogue.of_templates(workloads), *catalogue.of_snapshot(snapshot)]
    return sorted_findings(dict.fromkeys(found))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_target_arguments(parser, "one workload", "all namespaces; of NAME, the context's")
    add_cluster_arguments(parser)
    parser.add_argument("--no-exec", action="store_true", help="run no command in the sidecars' containers")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument("--all", action="store_true", help=f"show every replica, where there are more than {FEW}")
    parser.add_argument("--json", action="store_true", help="print JSON, one document for each look")
    parser.add_argument("--watch", action="store_true", help="look again and again, until interrupted")
    parser.add_argument("--interval", type=float, default=10, help="seconds between two looks (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Does what the command line asks; returns the exit status."""
    try:
        namespace, kind, name = target(options)
        scope = Scope(
            namespace=namespace,
            kind=kind,
            name=name,
            looks_inside=not options.no_exec,
            cluster_cidrs=tuple(options.cluster_cidr),
        )
        with connect(ClusterAccess(options.kubeconfig, options.context), None, "doctor") as cluster:
            return look_on(cluster, scope, options)
    except (ClusterError, ExtraMissingError, UsageError) as error:
        print(f"tailscale-sidecar doctor: {error}", file=sys.stderr)
        return ExitStatus.BLIND


def look_on(cluster: Cluster, scope: Scope, options: argparse.Namespace) -> int:
    """Looks once, or with --watch until interrupted; returns the exit status of the last look."""
    watch = Watch() if options.watch else None
    status = look_once(cluster, scope, options, watch)
    try:
        while watch:
            time.sleep(options.interval)
            try:
                status = look_once(cluster, scope, options, watch)
            except ClusterError as error:  # the API server may be away for a while: that is what one watches for
                print(f"tailscale-sidecar doctor: {error}", file=sys.stderr)
                status = ExitStatus.BLIND
    except KeyboardInterrupt:
        pass  # that is how a watch ends
    return status


def look_once(cluster: Cluster, scope: Scope, options: argparse.Namespace, watch: Watch | None) -> int:
    """One look, printed."""
    with Progress() as progress:
        snapshot = look(cluster, scope, progress)
    findings = diagnose(snapshot)
    changes = watch.look(snapshot, findings) if watch else []
    if options.json:
        seen = as_json(snapshot, findings)
        if watch:
            seen["changes"] = [change.model_dump(mode="json") for change in changes]
        print(json.dumps(seen, indent=None if watch else 2), flush=True)
    else:
        style = Style.of(sys.stdout)
        if watch and sys.stdout.isatty():
            print(ERASE_SCREEN, end="")
        lines = as_text(snapshot, findings, style, every_replica=options.all)
        if watch:
            lines += changes_text(watch, snapshot.now, options.interval, style)
        print("\n".join(lines), flush=True)
    return exit_status(findings, snapshot.gaps, strict=options.strict)


def changes_text(watch: Watch, now: datetime, interval: float, style: Style) -> list[str]:
    """What changed since the watch began, the newest first, and when it looked last, in local time."""
    shown = [f"  {clock(change.time)}  {change}" for change in watch.newest]
    title = [style.paint("What changed", "bold"), *shown] if shown else [style.paint("Nothing changed yet.", "dim")]
    return ["", *title, "", style.paint(f"Looked at {clock(now)}, and every {interval:g} s. Ctrl-C ends.", "dim")]


def clock(time: datetime) -> str:
    """Day and time, here."""
    return f"{time.astimezone():%a %H:%M:%S}"


def as_json(snapshot: Snapshot, findings: Sequence[Finding]) -> Json:
    """For programs."""
    return {
        "time": snapshot.now.isoformat(timespec="seconds"),
        "workloads": [workload_json(snapshot, workload) for workload in snapshot.workloads],
        "findings": [finding.model_dump(mode="json") for finding in findings],
        "not_looked_at": [gap.model_dump(mode="json") for gap in snapshot.gaps],
    }


def workload_json(snapshot: Snapshot, workload: Workload) -> Json:
    """A workload and its replicas."""
    return {
        "kind": workload.kind,
        "namespace": workload.namespace,
        "name": workload.name,
        "image": workload.image,
        "replicas": [replica_json(replica) for replica in snapshot.of(workload)],
    }


def replica_json(replica: Replica) -> Json:
    """A replica: what is known of its pod, state and device."""
    device = replica.device
    return {
        "pod": replica.name,
        "status": replica.phase,
        "ready": replica.is_ready,
        "restarts": replica.restarts,
        "state_saved": replica.state.has_identity if replica.state else None,
        "device_id": device.id if device else replica.state.device_id if replica.state else None,
        "device": device_name(replica) or None,
        "addresses": list(device.addresses if device else replica.state.addresses if replica.state else ()),
        "node_key": device.node_key if device else None,
        "online": device.online if device else None,
        "last_seen": device.last_seen.isoformat() if device and device.last_seen else None,
        "key_expires": device.expires.isoformat() if device and device.expires else None,
        "counted": replica.inside.counts if replica.inside else None,
    }


def as_text(snapshot: Snapshot, findings: Sequence[Finding], style: Style, *, every_replica: bool = False) -> list[str]:
    """For people."""
    lines: list[str] = []
    for workload in snapshot.workloads:
        lines += [*workload_text(snapshot, workload, findings, style, every_replica=every_replica), ""]
    return [
        *lines,
        *findings_text(findings, style),
        *gaps_text(snapshot.gaps, style),
        summary(findings, style, snapshot.tailnet.source if snapshot.tailnet else None),
    ]


def workload_text(
    snapshot: Snapshot, workload: Workload, findings: Sequence[Finding], style: Style, *, every_replica: bool
) -> list[str]:
    """One workload's line, and the table of its replicas."""
    own = snapshot.of(workload)
    ready = sum(replica.is_ready for replica in own)
    mode = "kernel" if workload.is_kernel else "userspace"
    wanted = f"{ready} of {workload.pods_wanted} ready" if workload.runs_on else f"{count_active(own)} active"
    facts = [wanted, mode, workload.image]
    named = {finding.object for finding in findings}
    shown = own if every_replica or len(own) <= FEW else [r for r in own if in_trouble(r) or r.ref in named][:FEW]
    lines = [f"{style.paint(workload.ref, 'bold')}   {', '.join(facts)}"]
    if shown:
        lines += table(HEAD, [row(replica, snapshot) for replica in shown], style, mood)
    if len(shown) < len(own):
        lines.append(style.paint(f"  {len(own) - len(shown)} more replicas (--all shows them)", "dim"))
    return lines


def count_active(replicas: Sequence[Replica]) -> int:
    """Pods that have not ended."""
    return sum(not replica.has_ended for replica in replicas)


def row(replica: Replica, snapshot: Snapshot) -> tuple[str, ...]:
    """A replica's line of the table."""
    device = replica.device
    in_secret = replica.workload.state.kind == "secret"
    state = ("saved" if replica.state.has_identity else "empty") if replica.state else "none"
    addresses = device.addresses if device else replica.state.addresses if replica.state else ()
    return (
        replica.name,
        replica.phase,
        str(replica.restarts),
        state if in_secret and snapshot.secrets_known(replica.workload.namespace) else replica.workload.state.kind,
        device_name(replica) or "-",
        next(iter(addresses), "-"),
        presence(replica, snapshot),
        UNKNOWN if device is None else f"{device.expires:%Y-%m-%d}" if device.expires else "never",
    )


def mood(cell: str) -> str:
    """The colour of a cell of the table."""
    if cell in ("Running", "Succeeded", "saved", "online"):
        return "good"
    bad = (
        cell.startswith("offline")
        or cell in ("missing", "empty", "none", "not ready")
        or cell.endswith(("BackOff", "Error", "Failed"))
    )
    return "error" if bad else ""


def presence(replica: Replica, snapshot: Snapshot) -> str:
    """Whether its device is online."""
    device = replica.device
    if device is None or device.online is None:
        return UNKNOWN
    if device.online:
        return "online"
    return f"offline, seen {ago(device.last_seen, snapshot.now)}" if device.last_seen else "offline"
