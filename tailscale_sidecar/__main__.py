"""The command line: `python -m tailscale_sidecar`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .commands import adopt, doctor, preflight
from .render.render import RenderError, render


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="tailscale-sidecar", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("render", help="print a Pulumi program's Kubernetes objects as YAML")
    command.add_argument("program", type=Path, help="folder with __main__.py, or a Python file")
    command.add_argument(
        "--config", action="append", default=[], metavar="KEY=VALUE", help="stack configuration; repeatable"
    )
    command.add_argument("--namespace", default="default", help="of objects that name none (default: %(default)s)")
    command.add_argument("--show-secrets", action="store_true", help="print secret values too")
    command.set_defaults(run=_render)
    preflight.add_arguments(commands.add_parser("preflight", help="say what a cluster and a tailnet will object to"))
    doctor.add_arguments(commands.add_parser("doctor", help="say what is wrong with replicas that run"))
    adopt.add_arguments(commands.add_parser("adopt", help="print the program for a StatefulSet that was made by hand"))
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status


def _render(options: argparse.Namespace) -> int:
    for setting in options.config:
        if "=" not in setting:
            print(f"--config {setting}: write KEY=VALUE", file=sys.stderr)
            return 2
    config = dict(setting.split("=", 1) for setting in options.config)
    try:
        print(
            render(options.program, namespace=options.namespace, config=config, show_secrets=options.show_secrets),
            end="",
        )
    except RenderError as error:
        print(f"tailscale-sidecar render: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
