"""`tailscale-sidecar render`: a Pulumi program's Kubernetes objects as YAML, without engine and cluster."""

from __future__ import annotations

import argparse
import sys

from ..render.errors import RenderError
from ..report.progress import Progress
from .options import add_program_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_program_arguments(parser)
    parser.add_argument("--namespace", default="default", help="of objects that name none (default: %(default)s)")
    parser.add_argument("--show-secrets", action="store_true", help="print secret values too")


def run(options: argparse.Namespace) -> int:
    """Prints the objects; returns the exit status.

    Raises:
        ProgramError: The program is wrong.
    """
    from ..render.render import render  # noqa: PLC0415 - with Pulumi, which --help does without

    try:
        with Progress() as progress:
            progress.step(f"running {options.program}")
            text = render(
                options.program,
                namespace=options.namespace,
                config=dict(options.config),
                show_secrets=options.show_secrets,
            )
    except RenderError as error:
        print(f"tailscale-sidecar render: {error}", file=sys.stderr)
        return 1
    print(text, end="")
    return 0
