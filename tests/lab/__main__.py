"""The lab's command line: `python -m tests.lab --help`."""

from __future__ import annotations

import argparse
import os
import sys

from . import setup
from .lab import Lab
from .shell import LabError, say, step

HOW_TO_USE = """\
The lab is up.
  python -m tests.lab run -- kubectl get pods -A   runs a command in the lab's network
  python -m tests.lab status                       shows what runs
  python -m tests.lab down                         stops it all
API server {lab.api_server}, tailnet {lab.tailnet_url}
KUBECONFIG={lab.kubeconfig}"""


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="install and build what the lab needs")
    commands.add_parser("up", help="boot the lab, unless it is up")
    down = commands.add_parser("down", help="stop the lab and remove all of it")
    down.add_argument("--keep-disks", action="store_true", help="keep the disks, so that the next up is a reboot")
    commands.add_parser("status", help="show what runs; fails unless all is well")
    runs = commands.add_parser("run", help="run a command in the lab's network")
    runs.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser.parse_args()


def main() -> int:
    """Do what the command line asks."""
    arguments = parse()
    if arguments.command == "setup":
        with step("setting up"):
            setup.ensure()
    elif arguments.command == "up":
        print(HOW_TO_USE.format(lab=Lab.start()))
    elif arguments.command == "down":
        setup.check_root()
        with step("stopping"):
            Lab().stop(keep_disks=arguments.keep_disks)
    elif arguments.command == "status":
        return show_status()
    elif arguments.command == "run":
        run_inside(arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words)
    return 0


def show_status() -> int:
    """Print each component's state."""
    if not (status := Lab().status()):
        print("down")
        return 1
    for name, pid, ready in status:
        print(f"{name:24} {pid or '-':>8}  {'ready' if ready else 'NOT READY'}")
    return 0 if all(ready for _, _, ready in status) else 1


def run_inside(words: list[str]) -> None:
    """Become the command."""
    if not words:
        raise LabError("run what? python -m tests.lab run -- COMMAND")
    lab = Lab()
    lab.enter()
    environment = lab.environment()
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 - to become it is the purpose
    except FileNotFoundError:
        raise LabError(f"no command {words[0]!r}") from None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        say(f"error: {error}")
        sys.exit(1)
