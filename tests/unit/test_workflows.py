"""The workflows run what exists, by programs that cannot change under them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.matrix import ROWS
from tests.support.examples import ROOT

WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
WORKFLOW = pytest.mark.parametrize("name", WORKFLOWS)


def steps(name: str) -> list[dict[str, Any]]:
    """All steps of a workflow."""
    jobs = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@WORKFLOW
def test_every_make_target_that_is_run_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for step in steps(name):
        if made := re.search(r"\bmake (.*)", step.get("run", "")):
            assert {word for word in made[1].split() if "=" not in word} <= targets


@WORKFLOW
def test_every_action_is_fixed_by_a_digest_with_its_tag_beside_it(name: str) -> None:
    used = re.findall(r"uses: (.*)", WORKFLOWS[name].read_text(encoding="utf-8"))
    assert [line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_every_row_of_the_matrix_is_run() -> None:
    row = yaml.safe_load(WORKFLOWS["matrix.yml"].read_text(encoding="utf-8"))["jobs"]["row"]
    assert row["strategy"]["matrix"]["row"] == list(ROWS)


def test_an_action_has_one_digest_everywhere() -> None:
    used = {step["uses"] for name in WORKFLOWS for step in steps(name) if "uses" in step}
    assert len(used) == len({line.partition("@")[0] for line in used})


def test_what_publishes_is_fixed_by_hash_in_the_versions_that_were_tested() -> None:
    fixed = (ROOT / ".github/publish-requirements.txt").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([a-z][\w.-]*)==(\S+) \\$", fixed, re.MULTILINE))
    assert {"twine", "pypi-attestations"} <= versions.keys()
    assert fixed.count("--hash=sha256:") >= len(versions)
    tested = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    tested = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in tested.items()}
    assert {name: tested[name] for name in versions if name in tested} == {
        name: version for name, version in versions.items() if name in tested
    }
