"""The benchmarks' report: it is written whatever breaks, and the command fails where the component misses something."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import api_server, injected, starts
from tests.bench.api_server import Traffic
from tests.bench.program import PROGRAMS
from tests.bench.starts import Start
from tests.bench.table import BY_HAND, COMPONENT, Cell, Row, beside_by_hand
from tests.lab import LabError, cgroups
from tests.support.examples import rendered
from tests.support.subjects import Apps, Bench

GOOD = Row("good", {"guide": Cell("not back", holds=False), "component": Cell("back in 4 s")})
MISSED = Row("missed", {"guide": Cell("back in 3 s"), "component": Cell("not back | ever", holds=False)})


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the report goes, of a run on no lab."""
    monkeypatch.setattr(bench, "REPORT", tmp_path / "benchmarks.md")
    monkeypatch.setattr(Bench, "settle", lambda _: None)
    monkeypatch.setattr(Bench, "start", lambda: Bench(None, None))  # type: ignore[arg-type] # no lab
    return tmp_path / "benchmarks.md"


def run(rows: list[Row], monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> int:
    def faults(_: object) -> Iterator[Row]:
        yield from rows
        if error:
            raise error

    monkeypatch.setattr(bench, "SECTIONS", {"Faults": (faults,)})
    return bench.main([])


def test_what_only_the_guides_manifest_misses_is_no_failure(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run([GOOD], monkeypatch) == 0
    assert "| good | not back | back in 4 s |" in report.read_text()


def test_what_the_component_misses_is_marked_and_named_and_fails(
    report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([GOOD, MISSED], monkeypatch) == 1
    assert "| missed | back in 3 s | **✗** not back \\| ever |" in report.read_text()
    assert "! missed: component: not back" in capsys.readouterr().err


def test_a_part_that_breaks_fails_and_leaves_the_rows_before_it(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run([GOOD], monkeypatch, LabError("the node is gone\nand more")) == 1
    assert "| good |" in report.read_text()
    assert "| faults | failed: the node is gone | **✗** failed: the node is gone |" in report.read_text()


def test_a_section_that_is_measured_anew_replaces_the_earlier_one_and_no_other(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.record("Starts", "as they were\n")
    for row in (MISSED, GOOD):
        run([row], monkeypatch)
    assert "## Starts\n\nas they were\n" in report.read_text()
    assert report.read_text().count("## Faults") == 1
    assert "| missed |" not in report.read_text()


def test_a_subject_that_breaks_has_a_cell_that_says_so_and_the_others_go_on() -> None:
    def broken(app: str) -> Cell:
        if app == "the guide's":
            raise LabError("waited in vain")
        return Cell("back")

    apps = Apps(None, {"guide": "the guide's", "component": "the component's"})  # type: ignore[arg-type, dict-item] # nothing is deployed
    for title in ("one", "next"):
        row = apps.row(title, broken)  # type: ignore[arg-type] # as above
        assert {label: cell.text for label, cell in row.cells.items()} == {
            "guide": "failed: waited in vain",
            "component": "back",
        }


def test_the_component_may_take_so_many_times_what_the_program_by_hand_takes_and_no_more() -> None:
    good, missed = (beside_by_hand("CPU", [2.0], [component], "s", 1.10) for component in (2.2, 2.3))
    assert good.missed() == []
    assert missed.missed() == ["CPU: component: 2.30 s (1.15 of by hand, at most 1.10)"]
    assert beside_by_hand("CPU", [2.0], [9.0], "s").missed() == []


def test_a_machine_that_slows_down_for_a_while_does_not_make_the_component_dearer() -> None:
    by_hand, component = [2.0, 3.0, 2.0, 2.0, 3.0], [2.0, 3.0, 3.0, 2.0, 3.0]
    assert beside_by_hand("CPU", by_hand, component, "s", 1.10).missed() == []


def test_what_the_first_in_a_turn_pays_for_does_not_make_either_dearer() -> None:
    by_hand, component = [2.0, 3.0, 2.0, 3.0, 2.0], [3.0, 2.0, 3.0, 2.0, 3.0]
    row = beside_by_hand("CPU", by_hand, component, "s")
    assert row.cells[COMPONENT].text == "3.00 s (1.00 of by hand)"


@pytest.mark.parametrize("grouped", ["false", "true"])
def test_the_two_programs_that_are_compared_make_the_same_objects(grouped: str) -> None:
    config = {"components": "2", "secrets": "2", "replicas": "2", "grouped": grouped}
    by_hand, component = (rendered(PROGRAMS[name], show_secrets=True, **config) for name in (BY_HAND, COMPONENT))
    assert len(component) == 16
    assert by_hand == component


def test_the_workloads_that_are_compared_have_the_same_objects_beside_them() -> None:
    made = [
        rendered(injected.FOLDER, show_secrets=True, workloads="2", byHand=by_hand) for by_hand in ("true", "false")
    ]
    by_hand, component = ([found for found in one if found["kind"] != "StatefulSet"] for one in made)
    assert len(component) == 8
    assert by_hand == component


def test_what_grows_with_the_replicas_may_not_grow_faster() -> None:
    def traffic(requests: float) -> Traffic:
        return Traffic(0, requests, 0, 0, 0, 0)

    def cell(*requests: float) -> Cell:
        seen = {"scoped": dict(zip((10, 100, 1000), map(traffic, requests), strict=True))}
        return api_server.row("requests", seen, lambda one: one.requests).cells["scoped"]

    assert cell(80, 620, 6000) == Cell("8.0 / 6.2 / 6.0", holds=True)
    assert cell(80, 620, 60_000) == Cell("8.0 / 6.2 / 60.0", holds=False)


@pytest.mark.parametrize(("seconds", "missed"), [(2.7, False), (2.9, True)])
def test_an_app_may_be_ready_no_later_than_in_a_pod_whose_containers_have_nothing_to_do(
    seconds: float, *, missed: bool
) -> None:
    seen = {"guide": [Start(0.5, 1.0, 2)], "SplitDns": [Start(0.5, seconds, 2)], "empty 1": [Start(0.5, 2.6, 0)]}
    rows = list(starts.figures("first start", seen, {}))
    assert any(row.missed() for row in rows) == missed


@pytest.mark.skipif(os.geteuid() != 0, reason="a control group of one's own needs root")
def test_the_cpu_of_a_process_that_outlives_the_one_that_started_it_counts(tmp_path: Path) -> None:
    work = "import pathlib, time\nwhile (used := time.process_time()) < 0.3: pass\npathlib.Path('used').write_text(str(used))"
    starter = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {work!r}])"
    seconds, _ = cgroups.cpu_of(lambda: subprocess.run([sys.executable, "-c", starter], cwd=tmp_path, check=True))
    assert seconds > float((tmp_path / "used").read_text())
