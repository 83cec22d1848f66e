"""What a contributor is told to run, runs."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.examples import ROOT

BIN = Path(sys.executable).parent
TOLD = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def hooks() -> list[dict[str, Any]]:
    """Those of pre-commit."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    found: list[dict[str, Any]] = repository["hooks"]
    return found


def test_every_program_and_file_that_contributing_names_exists() -> None:
    commands = re.findall(r"^ +\.venv/bin/(\S+)(.*?)(?:  +#.*)?$", TOLD, re.MULTILINE)
    assert {"pytest", "pre-commit"} <= {program for program, _ in commands}
    for program, arguments in commands:
        assert (BIN / program).exists()
        assert all((ROOT / word).exists() for word in arguments.split() if "/" in word)


def test_the_hooks_pass_on_the_whole_repository(tmp_path: Path) -> None:
    # mypy is left to `make check`, which runs at the same time: cold, it takes minutes.
    env = {**os.environ, "SKIP": "mypy", "PRE_COMMIT_HOME": str(tmp_path), "PRE_COMMIT_COLOR": "never"}
    command = [str(BIN / "pre-commit"), "run", "--all-files"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == len(hooks()) - 1


def test_the_hooks_are_what_make_check_runs_and_change_no_file() -> None:
    (checks,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    checked = {line.strip().replace("$(BIN)", ".venv/bin") for line in checks.splitlines()}
    entries = {hook["entry"].replace(" --force-exclude", "") for hook in hooks()}
    assert {entry for entry in entries if "shellcheck" not in entry} <= checked


def test_every_file_is_as_the_editors_are_told() -> None:
    told = configparser.ConfigParser()
    told.read_string("[all]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    rules = {name: section for name, section in told.items() if name != "DEFAULT"}
    assert rules["*"]["end_of_line"] == "lf"
    tabs = re.compile(r"^\t", re.MULTILINE)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = (ROOT / name for name in listed.stdout.split("\0") if name and not name.endswith(".png"))
    for file in filter(Path.is_file, files):
        text = file.read_bytes().decode("utf-8")
        assert "\r" not in text, file
        assert not text or text.endswith("\n"), file
        assert not re.search(r"[ \t]$", text, re.MULTILINE), file
        may_have_tabs = file.suffix in {".go", ".md", ".mod", ".c"} or file.name == "Makefile"
        assert may_have_tabs or not tabs.search(text), file
