"""`tailscale-sidecar preflight`: what a cluster and a tailnet will object to, before the first `pulumi up`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import yaml

from ..checks import catalogue
from ..clients.errors import ClusterError, ExtraMissingError
from ..clients.kubeconfig import ClusterAccess
from ..clients.kubernetes import connect
from ..inspection.cidrs import NODES, Range, cluster_cidrs
from ..inspection.deployment_plan import KINDS, POLICIES, Plan, plans
from ..inspection.deployment_target import Ground, survey
from ..pod import rules
from ..pod.objects import Json
from ..render.errors import RenderError
from ..report.findings import ExitStatus, Finding, exit_status, sorted_findings
from ..report.progress import Progress
from ..report.text import Style, findings_text, gaps_text, summary, table
from .options import UsageError, add_cluster_arguments, add_program_arguments

MOST_NODES = 3
"""Addresses of nodes that are shown."""
AUTH = {"oauth": "OAuthClient", "auth-key": "AuthKey", "workload-identity": "WorkloadIdentity"}


class PreflightError(Exception):
    """What was asked for cannot be checked."""


def object_to(ground: Ground, planned: Sequence[Plan]) -> list[Finding]:
    """All that the cluster and the tailnet will object to, the worst first. Needs nothing but what was looked at."""
    return sorted_findings(dict.fromkeys(catalogue.of_plans(ground, planned)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_program_arguments(parser, optional="without one, say what you mean to deploy")
    parser.add_argument("-n", "--namespace", help="default: the program's, else the context's")
    parser.add_argument("--name", default="my-app", help="of the component (default: %(default)s)")
    parser.add_argument("--replicas", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--networking", choices=("kernel", "userspace"), default="kernel", help="default: %(default)s")
    parser.add_argument("--tun-device", default="", metavar="RESOURCE", help="of a device plugin, such as devic.es/tun")
    parser.add_argument("--user-namespace", action="store_true", help="the pods are to have users of their own")
    parser.add_argument("--runtime-class", default="", metavar="NAME", help="of the pods, such as gvisor")
    parser.add_argument("--dns", choices=("in-pod", "split", "cluster"), help="default: in-pod; cluster in userspace")
    parser.add_argument("--auth", choices=tuple(AUTH), default="oauth", help="default: %(default)s")
    parser.add_argument(
        "--access", choices=("scoped", "guarded", "open"), default="scoped", help="default: %(default)s"
    )
    parser.add_argument("--tag", action="append", default=[], help="such as tag:k8s; repeatable")
    parser.add_argument("--accept-routes", action="store_true", help="the pods are to use the tailnet's subnet routes")
    add_cluster_arguments(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Looks, prints what was found, and returns the exit status.

    Raises:
        ProgramError: The program is wrong.
    """
    access = ClusterAccess(options.kubeconfig, options.context)
    try:
        with Progress() as progress, connect(access, None, "preflight") as cluster:
            planned = planned_by(options, options.namespace or cluster.namespace, progress)
            ground = survey(cluster, planned, options.cluster_cidr, progress)
    except (ClusterError, ExtraMissingError, PreflightError, RenderError, UsageError, ValueError) as error:
        print(f"tailscale-sidecar preflight: {error}", file=sys.stderr)
        return ExitStatus.BLIND
    findings = object_to(ground, planned)
    if options.json:
        print(json.dumps(as_json(ground, planned, findings), indent=2))
    else:
        print("\n".join(as_text(ground, planned, findings, Style.of(sys.stdout))))
    return exit_status(findings, ground.gaps, strict=options.strict)


def planned_by(options: argparse.Namespace, namespace: str, progress: Progress) -> list[Plan]:
    """What the program would deploy, or what the command line says.

    Raises:
        PreflightError: The program has no component.
        RenderError: It needs an engine.
        ProgramError: It is wrong.
    """
    if options.program is None:
        return [described_by(options, namespace)]
    from ..render.render import render  # noqa: PLC0415 - with Pulumi, which only a program needs

    progress.step(f"running {options.program}")
    objects = yaml.safe_load_all(render(options.program, namespace=namespace, config=dict(options.config)))
    found = plans(item for item in objects if item)
    if not found:
        raise PreflightError(f"{options.program} deploys no workload with a Tailscale sidecar")
    return found


def described_by(options: argparse.Namespace, namespace: str) -> Plan:
    """What the command line says."""
    rules.name(options.name)
    kernel = options.networking == "kernel"
    dns = options.dns or ("in-pod" if kernel else "cluster")
    if not kernel and dns != "cluster":
        raise UsageError(f"--dns {dns} needs --networking kernel")
    from .described_pod import described_pod  # noqa: PLC0415 - with Pulumi

    return Plan(
        replicas=options.replicas,
        pod=described_pod(options, dns),
        name=options.name,
        namespace=namespace,
        is_kernel=kernel,
        tun_device=options.tun_device,
        user_namespace=options.user_namespace,
        runtime_class=options.runtime_class,
        accepts_dns=dns != "cluster",
        asks_tailscale_for_all=dns == "split",
        accepts_routes=options.accept_routes,
        auth=AUTH[options.auth],
        tags=rules.tags(tuple(options.tag)),
        device_names=tuple(f"{options.name}-{ordinal}" for ordinal in range(options.replicas)),
        kinds=(*KINDS, *(POLICIES if options.access == "guarded" else ())),
    )


def as_json(ground: Ground, planned: Sequence[Plan], findings: Sequence[Finding]) -> Json:
    """For programs."""
    return {
        "planned": [plan.ref for plan in planned],
        "cluster": {
            "version": ".".join(map(str, ground.version)) if ground.version else None,
            "domain": ground.domain,
            "addresses": [{"use": found.use, "cidr": found.cidr, "source": found.source} for found in ground.ranges],
            "cluster_cidrs": cluster_cidrs(ground.ranges),
        },
        "tailnet": ground.tailnet.source if ground.tailnet else None,
        "findings": [finding.model_dump(mode="json") for finding in findings],
        "not_looked_at": [gap.model_dump(mode="json") for gap in ground.gaps],
    }


def as_text(ground: Ground, planned: Sequence[Plan], findings: Sequence[Finding], style: Style) -> list[str]:
    """For people."""
    version = ".".join(map(str, ground.version)) if ground.version else "?"
    lines = [style.paint(f"{', '.join(plan.ref for plan in planned)}   on Kubernetes {version}", "bold")]
    if ground.ranges:
        lines += table(("ADDRESSES OF", "CIDR", "FOUND IN"), [(r.use, r.cidr, r.source) for r in shown(ground)], style)
    if cluster_cidrs(ground.ranges):
        lines.append(f"  cluster_cidrs={json.dumps(cluster_cidrs(ground.ranges))}, and your nodes' network")
    lines.append("")
    return [
        *lines,
        *findings_text(findings, style),
        *gaps_text(ground.gaps, style),
        summary(findings, style, ground.tailnet.source if ground.tailnet else None),
    ]


def shown(ground: Ground) -> list[Range]:
    """The cluster's addresses, without those of most nodes."""
    nodes = [found for found in ground.ranges if found.use == NODES]
    return [found for found in ground.ranges if found.use != NODES or found in nodes[:MOST_NODES]]
