"""docs/versions.md says what `make matrix` ran, and no more."""

from __future__ import annotations

from tests import matrix

LAST_LINES = [
    "...\n31 passed in 95.31s (0:01:35)\n",
    "SKIPPED [1] tests/x.py:3: why not\n1 passed, 1 skipped in 40.10s\n",
]


def test_the_page_is_as_the_matrix_writes_it() -> None:
    text = matrix.PAGE.read_text(encoding="utf-8")
    assert matrix.page(matrix.read(text)) == text


def test_what_was_not_run_is_said_not_to_have_been_and_the_rest_is_kept() -> None:
    cells = {"1.35.4/1.104.5": "31 passed in 95 s, 2026-11-27", "python/3.13": "9 passed in 4 s, 2026-11-27"}
    text = matrix.page(cells)
    assert matrix.read(text) == cells
    assert text.count(matrix.NOT_RUN) == len(matrix.CELLS) - len(cells)


def test_an_outcome_adds_up_all_runs_and_says_why_something_was_skipped() -> None:
    assert matrix.summary(LAST_LINES) == f"32 passed, 1 skipped in 135 s, {matrix.today()}; why not"


def test_an_outcome_names_the_tests_that_failed() -> None:
    printed = "FAILED tests/x.py::test_it_starts - assert 2 < 1\n1 failed, 1 passed in 9.00s"
    assert matrix.summary([printed]) == f"{matrix.FAILED} 1 failed, 1 passed in 9 s, {matrix.today()}; test_it_starts"


def test_an_outcome_with_a_failure_or_without_a_test_is_no_success() -> None:
    for printed in (["1 failed, 30 passed in 9.00s"], ["1 passed, 1 error in 9.00s"], ["no tests ran in 0.10s"], [""]):
        assert matrix.summary(printed).startswith(matrix.FAILED)
