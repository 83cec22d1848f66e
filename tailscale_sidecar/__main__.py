"""The command line: `python -m tailscale_sidecar`."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from .render.errors import ProgramError

COMMANDS = {
    "render": "print a Pulumi program's Kubernetes objects as YAML",
    "preflight": "say what a cluster and a tailnet will object to",
    "lint": "say what is wrong with sidecars in YAML, without a cluster",
    "doctor": "say what is wrong with replicas that run",
    "adopt": "print the program for a StatefulSet that was made by hand",
    "dashboard": "print a Grafana dashboard of what Monitoring serves, as JSON",
}
"""Each is a module of `commands`, which is imported only if it is the one that was asked for: that takes its time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="tailscale-sidecar", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if given[:1] == [name]:
            module = import_module(f".commands.{name}", __package__)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(given)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except ProgramError as error:
        if options.traceback:
            traceback.print_exception(error.__cause__)
        print(f"tailscale-sidecar {options.command}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # who reads has enough, such as `head`; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
