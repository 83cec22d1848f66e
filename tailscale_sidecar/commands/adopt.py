"""`tailscale-sidecar adopt`: the Pulumi program for a StatefulSet that was made by hand, after Tailscale's guide.

The program goes to stdout, all else to stderr: `adopt db/my-app --import-file import.json > __main__.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import yaml

from ..adoption import pulumi_import
from ..adoption.component_arguments import CannotAdoptError, describe
from ..adoption.pulumi_program import program
from ..adoption.translation import Translation
from ..adoption.wide_bindings import too_wide
from ..clients.errors import ClusterError, ExtraMissingError
from ..clients.kubeconfig import ClusterAccess
from ..clients.kubernetes import Cluster, connect
from ..inspection.cidrs import cluster_cidrs
from ..inspection.cluster_facts import look_at_cluster
from ..inspection.workload import Workload, sidecar_of, workloads
from ..pod.objects import Json
from ..render.errors import ProgramError
from ..render.program_errors import program_errors
from ..report.findings import ExitStatus
from ..report.progress import Progress
from .options import UsageError, add_cluster_arguments, add_target_arguments, add_traceback_argument, target

IMPORT_FILE = "import.json"
CLIENT_SIDE = "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY=false"
"""For the first `up`: server-side apply would leave in place what kubectl has put there, such as the sidecar in
`containers` (kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy)."""


@dataclass(frozen=True)
class Found:
    """What is there."""

    workload: Workload
    find: pulumi_import.Find
    cluster_cidrs: Sequence[str] = ()
    spare: int = 0
    """State Secrets beyond the replicas."""
    too_wide: Sequence[str] = ()
    """Bindings that give the sidecar's ServiceAccount more than it will need, each with what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Prints the Pulumi program that describes a StatefulSet made by hand, and how to take it over."
    add_target_arguments(parser, "the StatefulSet", "the context's")
    parser.add_argument("-f", "--filename", type=Path, help="a manifest to read instead of the cluster")
    parser.add_argument(
        "--import-file", type=Path, metavar="FILE", help="write what `pulumi import --file` needs there"
    )
    add_cluster_arguments(parser)
    add_traceback_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Prints the program, and what to do with it; returns the exit status.

    Raises:
        ProgramError: The component refuses the program as it is, which was printed.
    """
    try:
        with looking(options) as found:
            return adopt(found, options)
    except (
        ClusterError,
        ExtraMissingError,
        CannotAdoptError,
        UsageError,
        OSError,
        ValueError,
        yaml.YAMLError,
    ) as error:
        say(f"tailscale-sidecar adopt: {error}")
        return ExitStatus.BLIND


def adopt(found: Found, options: argparse.Namespace) -> int:
    """Prints the program for what was found."""
    workload = found.workload
    translated = describe(workload, found.cluster_cidrs, found.spare)
    title = f"{workload.ref}, as `tailscale-sidecar adopt` found it."
    text = program(workload.name, title, translated, {})
    try:
        with program_errors(pulumi_import.PROGRAM), Progress() as progress:
            progress.step("running the program")
            planned = pulumi_import.run(text, workload.namespace, translated.secrets)
    except ProgramError:
        print(text, end="")
        raise
    kept = pulumi_import.kept(workload, planned, found.find)
    print(program(workload.name, title, translated, kept), end="")
    if options.import_file:
        listed = pulumi_import.import_file(workload, planned, found.find, translated.makes)
        options.import_file.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    say("\n".join(steps(found, translated, options)))
    return ExitStatus.WELL


def steps(found: Found, translated: Translation, options: argparse.Namespace) -> Iterator[str]:
    """What to run, as lines for a shell."""
    yield "# In the folder of your Pulumi program, with its stack selected:"
    if options.import_file is None:
        yield f"# this command again, with `--import-file {IMPORT_FILE} > __main__.py`"
    for key, command in translated.secrets.items():
        yield f"{command} | pulumi config set --secret {key}" if command else f"pulumi config set --secret {key}"
    if translated.before:
        yield "# Brings the state to where the component looks for it:"
        yield from translated.before
    yield "# Takes over what is there, and changes nothing yet:"
    yield f"pulumi import --file {options.import_file or IMPORT_FILE} --protect=false --generate-code=false"
    yield "# Rolls the pods, which come back as the same devices. The variable is for this once:"
    yield f"{CLIENT_SIDE} pulumi up"
    yield "# (If it waits for an old pod that is not ready, delete that pod: Kubernetes does not go on without it.)"
    for binding in found.too_wide:
        yield f"# {binding}"


@contextmanager
def looking(options: argparse.Namespace) -> Iterator[Found]:
    """Reads the manifest, or asks the cluster, for as long as that takes.

    Raises:
        ClusterError: The cluster cannot be looked at.
        ExtraMissingError: The extra `doctor` is not installed.
        CannotAdoptError: There is no such StatefulSet.
    """
    namespace, name = target(options)
    if options.filename:
        yield in_file(options.filename, namespace, name, options.cluster_cidr)
        return
    if not name:
        raise CannotAdoptError("name the StatefulSet, or give its manifest with --filename")
    with connect(ClusterAccess(options.kubeconfig, options.context), namespace, "adopt") as cluster:
        yield in_cluster(cluster, name, options.cluster_cidr)


def in_cluster(cluster: Cluster, name: str, given: Sequence[str]) -> Found:
    """A StatefulSet of the cluster's namespace."""
    manifest = cluster.find("StatefulSet", name)
    if manifest is None:
        raise CannotAdoptError(f"there is no StatefulSet {cluster.namespace}/{name}")
    if sidecar_of(manifest["spec"]["template"]["spec"]) is None:
        raise CannotAdoptError(f"StatefulSet {cluster.namespace}/{name} runs no tailscale container")
    workload = Workload({**manifest, "kind": "StatefulSet"})
    cidrs: list[str] = []
    if workload.is_kernel and workload.accepts_routes:
        with Progress() as progress:
            progress.step("looking for the cluster's addresses")
            facts = look_at_cluster(cluster, given)
        for gap in facts.gaps:
            say(f"{gap.what} was not found: {gap.why}; {gap.do}")
        cidrs = [] if facts.gaps else cluster_cidrs(facts.ranges)
    return Found(workload, cluster.find, cidrs, spare(workload, cluster.find), too_wide(workload, cluster.list))


def spare(workload: Workload, find: pulumi_import.Find) -> int:
    """How many state Secrets there are beyond the replicas, without a gap."""
    beyond = takewhile(lambda ordinal: find("Secret", f"{workload.name}-{ordinal}"), count(workload.replicas))
    return len(list(beyond))


def in_file(file: Path, namespace: str | None, name: str | None, given: Sequence[str]) -> Found:
    """A StatefulSet that a manifest has. That its state Secrets are there is taken for granted."""
    objects: list[Json] = []
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        objects += document["items"] if document and document.get("kind") == "List" else [document] if document else []
    found = [w for w in workloads(objects) if name in (None, w.name) and namespace in (None, w.namespace)]
    if len(found) != 1:
        raise CannotAdoptError(
            f"{file} has {len(found)} such StatefulSets with a tailscale container: name one of them"
        )
    workload = found[0]
    there = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    there |= {("Secret", workload.state_secret(pod)): {} for pod in workload.pod_names}
    return Found(workload, lambda kind, name: there.get((kind, name)), given)


def say(text: str) -> None:
    """Prints for the person; stdout is the program's."""
    print(text, file=sys.stderr)
