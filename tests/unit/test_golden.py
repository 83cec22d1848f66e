"""An upgrade of this library restarts nobody's pods by surprise."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys

import pytest

from tests import golden
from tests.support.examples import EXAMPLES, ROOT

DECISION = """\
the StatefulSet of examples/{example} {what}.

Releasing this restarts the pods, databases too, of everyone who upgrades and uses what this example uses: a change of
`template` rolls them, and a change of selector, serviceName, podManagementPolicy or volumeClaimTemplates replaces the
StatefulSet. That is a decision. If it was not meant, undo it in the code. If it is meant:
    make golden          (or: python -m tests.golden)
and name it in CHANGELOG.md, with the reason.

{difference}"""


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_pods_of_an_example_change_only_by_decision(example: str) -> None:
    file = golden.file(example)
    kept = file.read_text(encoding="utf-8") if file.is_file() else None
    current = golden.current(example)
    if kept != current:
        lines = difflib.unified_diff(
            (kept or "").splitlines(), current.splitlines(), "decided", "now", lineterm="", n=2
        )
        what = f"is not what tests/golden/{file.name} says" if kept is not None else f"has no tests/golden/{file.name}"
        difference = "\n".join(lines) if kept is not None else ""
        pytest.fail(DECISION.format(example=example, what=what, difference=difference), pytrace=False)


def test_every_golden_file_belongs_to_an_example() -> None:
    assert {path.stem for path in golden.FOLDER.glob("*.yaml")} <= EXAMPLES.keys()


def test_an_unchanged_example_is_the_same_bytes_in_another_process() -> None:
    def run(seed: str) -> bytes:  # of Python's hashes, so of the order of its sets
        command = [sys.executable, "-c", "from tests import golden; print(golden.current('state_guarded'))"]
        env = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, check=True).stdout

    assert run("1") == run("2")
