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

from pydantic import ValidationError

from ..adoption import pulumi_import
from ..adoption.changes import changes
from ..adoption.component_arguments import describe
from ..adoption.found import CannotAdoptError, Found, in_cluster, in_file
from ..adoption.kept import Kept, kept
from ..adoption.pulumi_program import program
from ..adoption.rights import too_wide
from ..adoption.translation import Translation
from ..clients.errors import ClusterError, ExtraMissingError
from ..clients.kubeconfig import ClusterAccess
from ..clients.kubernetes import connect
from ..pod import rules
from ..report.findings import ExitStatus
from .options import add_cluster_arguments

IMPORT_FILE = "import.json"
CLIENT_SIDE = "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY=false"
"""For the first `up`: server-side apply would leave in place what kubectl has put there, such as the sidecar in
`containers` (kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Prints the Pulumi program that describes a workload made by hand, and how to take it over."
    parser.add_argument("target", nargs="?", metavar="[NAMESPACE/]NAME", help="the StatefulSet, Deployment or Pod")
    parser.add_argument("-n", "--namespace", help="default: the target's, else the context's")
    parser.add_argument(
        "-f", "--filename", type=Path, help="a manifest to read instead of the cluster; - is standard input"
    )
    parser.add_argument(
        "--import-file", type=Path, metavar="FILE", help="write what `pulumi import --file` needs there"
    )
    add_cluster_arguments(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the program, and what to do with it; returns the exit status."""
    try:
        for cidr in options.cluster_cidr:
            rules.cidr(cidr)
        with looking(options) as found:
            return adopt(found, options)
    except (ClusterError, ExtraMissingError, CannotAdoptError, OSError, ValueError) as error:
        say(f"tailscale-sidecar adopt: {error}")
        return ExitStatus.BLIND


def adopt(found: Found, options: argparse.Namespace) -> int:
    """Prints the program for what was found."""
    translated = describe(found)
    title = f"{found.workload.ref}, as `tailscale-sidecar adopt` found it."
    text = program(found.name, title, translated, Kept())
    try:
        planned = pulumi_import.run(text, found.workload.namespace, translated.secrets)
        stays = kept(found, planned)
        text = program(found.name, title, translated, stays)
        planned = pulumi_import.run(text, found.workload.namespace, translated.secrets)
    except ValueError as error:
        print(text, end="")
        say(f"tailscale-sidecar adopt: the component refuses this program as it is: {reason(error)}")
        return ExitStatus.FINDINGS
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
        ValueError: The manifest is none.
    """
    namespace, _, name = (options.target or "").rpartition("/")
    if namespace and options.namespace not in (None, namespace):
        raise CannotAdoptError(f"{options.target} is not in the namespace {options.namespace}: name one of them")
    namespace = namespace or options.namespace or ""
    if options.filename:
        is_stdin = str(options.filename) == "-"
        text = sys.stdin.read() if is_stdin else options.filename.read_text(encoding="utf-8")
        source = "standard input" if is_stdin else str(options.filename)
        yield in_file(text, source, namespace, name, options.cluster_cidr)
        return
    if not name:
        raise CannotAdoptError("name the StatefulSet, Deployment or Pod, or give its manifest with --filename")
    with connect(ClusterAccess(options.kubeconfig, options.context), namespace or None, "adopt") as cluster:
        yield in_cluster(cluster, name, options.cluster_cidr, say)


def reason(error: ValueError) -> str:
    """What is wrong, in one line for each error."""
    if not isinstance(error, ValidationError):
        return str(error).rpartition(" has risen: ")[2]  # without Pulumi's way to it
    return "\n".join(found["msg"].removeprefix("Value error, ") for found in error.errors())


def say(text: str) -> None:
    """Prints for the person; stdout is the program's."""
    print(text, file=sys.stderr)
