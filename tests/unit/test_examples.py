"""The examples are short, right, and easy to find."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from mypy import api
from packaging.requirements import Requirement

from tailscale_sidecar.render.render import render
from tests.support.examples import CONFIG, EXAMPLES, PROGRAMS, ROOT, one, rendered, workload

LINES = 60
"""What fits on a screen."""
PROGRAM = pytest.mark.parametrize("example", PROGRAMS)
EXAMPLE = pytest.mark.parametrize("example", EXAMPLES)


@PROGRAM
def test_an_example_fits_on_a_screen_and_says_what_it_is(example: str) -> None:
    text = (PROGRAMS[example] / "__main__.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES
    assert ast.get_docstring(ast.parse(text))


@EXAMPLE
def test_an_example_makes_one_workload_that_is_called_like_it(example: str) -> None:
    name = workload(rendered(EXAMPLES[example]))["metadata"]["name"]
    assert name == {"quickstart": "my-app"}.get(example, example.replace("_", "-"))


def test_the_type_checker_is_content_with_every_example(tmp_path: Path) -> None:
    # All are called __main__, which one run takes once only: check them by other names.
    for example, folder in PROGRAMS.items():
        text = (folder / "__main__.py").read_text(encoding="utf-8")
        (tmp_path / f"{example}.py").write_text(text, encoding="utf-8")
    files = [str(path) for path in sorted(tmp_path.glob("*.py"))]
    cache = ROOT / ".mypy_cache"  # what the check of the whole left there makes this quick
    report, errors, _ = api.run([f"--config-file={ROOT}/pyproject.toml", f"--cache-dir={cache}", *files])
    assert report.startswith("Success"), report + errors


def test_every_example_is_named_in_the_documentation() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")))
    assert [example for example in PROGRAMS if f"examples/{example}" not in text] == []


TEMPLATE = ROOT / "templates/python"


def test_the_template_for_pulumi_new_asks_for_all_that_its_program_needs() -> None:
    asked = yaml.safe_load((TEMPLATE / "Pulumi.yaml").read_text(encoding="utf-8"))["template"]["config"]
    made = render(TEMPLATE, config={key: CONFIG[key] for key in asked})
    assert one(list(yaml.safe_load_all(made)), "StatefulSet")["spec"]["replicas"] == 2


def test_the_template_installs_this_release() -> None:
    (wanted,) = (TEMPLATE / "requirements.txt").read_text(encoding="utf-8").split()
    assert Requirement(wanted).name == "tailscale-sidecar"
    assert Requirement(wanted).specifier.contains(version("tailscale-sidecar"))
