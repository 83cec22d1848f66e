"""A Pulumi project with one stack, used as a user uses it: by its program, its configuration and the CLI."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.shell import wait_for
from tests.support.pulumi_cli import PulumiCli
from tests.support.virtualenv import virtualenv

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "lab"
PASSPHRASE = "passphrase of the lab"


class PulumiError(Exception):
    """A command failed; the message is what it printed."""


@dataclass(frozen=True)
class Stack:
    """One stack, with its state in files beside the project."""

    cli: PulumiCli
    project: Path
    """Folder with Pulumi.yaml."""
    environment: Mapping[str, str]
    """Of the commands, in full: with KUBECONFIG, and a PATH. Variables of Pulumi's are not passed on."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of Pulumi's, beside those that the stack sets itself."""

    @property
    def state(self) -> Path:
        """Folder of Pulumi's state, in plain files."""
        return self.project.parent / "state"

    def init(self, **config: str) -> None:
        """Makes the stack, unless it is there, and sets its configuration."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.pulumi("stack", "select", "--create", NAME)
        self.configure(**config)

    def configure(self, **config: str) -> None:
        """Sets configuration; what a key ending in Secret has is one."""
        for key, value in config.items():
            kind = "--secret" if key.endswith("Secret") else "--plaintext"
            self.pulumi("config", "set", kind, key, stdin=value)

    def exists(self) -> bool:
        """Whether there is a stack, deployed or not."""
        return (self.project / f"Pulumi.{NAME}.yaml").exists()

    def pulumi(self, *arguments: str, stdin: str = "") -> str:
        """Runs a command; returns all that it prints."""
        with self._start(*arguments) as running:
            printed, _ = running.communicate(stdin)
        if running.returncode != 0:
            raise PulumiError(f"pulumi {' '.join(arguments)}:\n{printed}")
        return printed

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.cli.program), "--non-interactive", "--color=never", *arguments],
            cwd=self.project,
            env={**self.cli.environment(self.environment, state=self.state, passphrase=PASSPHRASE), **self.settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, *options: str) -> str:
        """Deploys the program as it is now."""
        return self.pulumi("up", "--yes", "--skip-preview", "--diff", *options)

    def interrupt_up(self, when: Callable[[], bool], how: signal.Signals = signal.SIGINT) -> str:
        """Deploys the program and, as soon as something is so, interrupts that as Ctrl-C does, or kills all of it.

        Returns what was printed.
        """
        with self._start("up", "--yes", "--skip-preview") as running:
            try:
                wait_for("the moment to interrupt", when, 300)
            finally:
                also = descendants(running.pid) if how is signal.SIGKILL else []
                for process in (running.pid, *also):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, how)
            printed, _ = running.communicate()
        return printed

    def preview(self) -> str:
        """What `up` would do, in full."""
        return self.pulumi("preview", "--diff")

    def expect_no_changes(self) -> None:
        """Fails if `up` would do anything."""
        self.pulumi("preview", "--diff", "--expect-no-changes")

    def refresh(self) -> str:
        """Reads what is in the cluster into the state."""
        return self.pulumi("refresh", "--yes", "--skip-preview", "--diff")

    def destroy(self) -> str:
        """Deletes everything."""
        return self.pulumi("destroy", "--yes", "--skip-preview")

    def planned(self) -> dict[str, str]:
        """What a preview says that it would do to each resource that does not stay the same."""
        printed = self.pulumi("preview", "--json")
        preview: dict[str, Any] = json.loads(printed[printed.index("{") :])
        steps = [(step["urn"].rpartition("::")[2], step["op"]) for step in preview["steps"]]
        return {name: op for name, op in steps if op != "same"}

    def outputs(self) -> dict[str, Any]:
        """What the program exported."""
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return found

    def export(self) -> dict[str, Any]:
        """The resources in the state, by name, with secrets as they are stored: encrypted."""
        state = json.loads(self.pulumi("stack", "export"))
        return {r["urn"].rpartition("::")[2]: r for r in state["deployment"].get("resources", ())}


def descendants(process: int) -> list[int]:
    """The processes that a process started, and that these started."""
    children = Path(f"/proc/{process}/task").glob("*/children")
    started = [int(child) for listed in children for child in listed.read_text(encoding="utf-8").split()]
    return [found for child in started for found in (child, *descendants(child))]


def of_repository(cli: PulumiCli, folder: Path, environment: Mapping[str, str]) -> Stack:
    """The repository's own project (its root's Pulumi.yaml), with what Pulumi writes kept out of the repository."""
    project = folder / "project"
    project.mkdir(parents=True, exist_ok=True)
    targets = [REPOSITORY / "Pulumi.yaml", REPOSITORY / "examples", virtualenv()]
    for name, target in zip(("Pulumi.yaml", "examples", ".venv"), targets, strict=True):
        link = project / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    return Stack(cli, project, environment)
