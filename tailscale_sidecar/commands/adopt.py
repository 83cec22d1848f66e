"""`tailscale-sidecar adopt`: the Pulumi program for a workload that was made by hand, after Tailscale's guide.

The program goes to stdout, all else to stderr: `adopt db/my-app --import-file import.json > __main__.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..adoption import pulumi_import
from ..adoption.changes import changes
from ..adoption.component_arguments import describe
from ..adoption.found import KINDS, CannotAdoptError, Found, in_cluster, in_file
from ..adoption.kept import Kept, kept
from ..adoption.pulumi_program import program
from ..adoption.rights import too_wide
from ..adoption.translation import Translation
from ..clients.errors import ClusterError, ExtraMissingError
from ..clients.kubeconfig import ClusterAccess
from ..clients.kubernetes import connect
from ..render.errors import ProgramError
from ..render.program_errors import program_errors
from ..report.findings import ExitStatus
from ..report.progress import Progress
from .options import UsageError, add_cluster_arguments, add_target_arguments, add_traceback_argument, target

IMPORT_FILE = "import.json"
CLIENT_SIDE = "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY=false"
"""For the first `up`: server-side apply would leave in place what kubectl has put there, such as the sidecar in
`containers` (kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Prints the Pulumi program that describes a workload made by hand, and how to take it over."
    add_target_arguments(parser, "the StatefulSet, Deployment or Pod", "the context's, or default")
    parser.add_argument(
        "-f", "--filename", type=Path, help="a manifest to read instead of the cluster; - is standard input"
    )
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
    except (ClusterError, ExtraMissingError, CannotAdoptError, UsageError, OSError, ValueError) as error:
        say(f"tailscale-sidecar adopt: {error}")
        return ExitStatus.BLIND


def adopt(found: Found, options: argparse.Namespace) -> int:
    """Prints the program for what was found."""
    translated = describe(found)
    title = f"{found.workload.ref}, as `tailscale-sidecar adopt` found it."
    text = program(found.name, title, translated, Kept())
    try:
        with program_errors(pulumi_import.PROGRAM), Progress() as progress:
            progress.step("running the program")
            planned = pulumi_import.run(text, found.workload.namespace, translated.secrets)
    except ProgramError:
        print(text, end="")
        raise
    stays = kept(found, planned)
    text = program(found.name, title, translated, stays)
    planned = pulumi_import.run(text, found.workload.namespace, translated.secrets)
    print(text, end="")
    if options.import_file:
        listed = pulumi_import.import_file(found, planned, translated.makes)
        options.import_file.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    changed = changes(found, planned, stays.ignored, translated.makes)
    say("\n".join(steps(found, translated, changed, options)))
    return ExitStatus.WELL


def steps(found: Found, translated: Translation, changed: Sequence[str], options: argparse.Namespace) -> Iterator[str]:
    """What to run, as lines for a shell; before each, what it changes."""
    yield "# In the folder of your Pulumi program, with its stack selected:"
    if options.import_file is None:
        yield f"# this command again, with `--import-file {IMPORT_FILE} > __main__.py`"
    for key, command in translated.secrets.items():
        yield f"{command} | pulumi config set --secret {key}" if command else f"pulumi config set --secret {key}"
    if translated.before:
        if found.workload.kind != "StatefulSet":
            yield f"# Ends the pod of {found.workload.ref}: two pods must not be one device. And:"
        yield "# Brings the state to where the component looks for it:"
        for name in translated.makes:
            yield f"#   + Secret {found.workload.namespace}/{name}"
        yield from translated.before
    yield "# Takes over what is there, and changes nothing yet:"
    yield f"pulumi import --file {options.import_file or IMPORT_FILE} --protect=false --generate-code=false"
    if found.workload.kind == "StatefulSet":
        yield "# Rolls the pods, which come back as the same devices. The variable is for this once. It changes:"
    else:
        yield "# Makes the StatefulSet, whose pod comes back as the same device. It changes:"
    yield from (f"#   {line}".rstrip() for line in changed)
    yield f"{CLIENT_SIDE} pulumi up"
    yield "# (If it waits for an old pod that is not ready, delete that pod: Kubernetes does not go on without it.)"
    if translated.after:
        yield "# When the new pod is ready, deletes what it has replaced:"
        yield f"#   - {found.workload.ref}"
        yield from translated.after
    if found.is_file:
        yield f"# What the cluster has, and {options.filename} has not, was not looked at."
    for binding in too_wide(found):
        yield f"# {binding}"


@contextmanager
def looking(options: argparse.Namespace) -> Iterator[Found]:
    """Reads the manifest, or asks the cluster, for as long as that takes.

    Raises:
        ClusterError: The cluster cannot be looked at.
        ExtraMissingError: The extra `doctor` is not installed.
        CannotAdoptError: There is no such workload, or what it says cannot be read.
        UsageError: The options contradict each other.
        ValueError: The manifest is none.
    """
    namespace, kind, name = target(options)
    if kind not in (None, *KINDS):
        raise CannotAdoptError(f"{kind} {name} cannot be adopted: {', '.join(KINDS)} can")
    kinds = (kind,) if kind else KINDS
    if options.filename:
        is_stdin = str(options.filename) == "-"
        text = sys.stdin.read() if is_stdin else options.filename.read_text(encoding="utf-8")
        source = "standard input" if is_stdin else str(options.filename)
        yield in_file(text, source, namespace or "", name or "", options.cluster_cidr, kinds)
        return
    if not name:
        raise CannotAdoptError("name the StatefulSet, Deployment or Pod, or give its manifest with --filename")
    with connect(ClusterAccess(options.kubeconfig, options.context), namespace, "adopt") as cluster:
        yield in_cluster(cluster, name, options.cluster_cidr, say, kinds)


def say(text: str) -> None:
    """Prints for the person; stdout is the program's."""
    print(text, file=sys.stderr)
