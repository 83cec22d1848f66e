"""What the documentation says works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.recordings import recorded
from tests.support.examples import PROGRAMS, ROOT, one, rendered

PAGES = {
    str(path.relative_to(ROOT)): path
    for pattern in ("*.md", "docs/**/*.md", ".github/**/*.md")
    for path in sorted(ROOT.glob(pattern))
}
PAGE = pytest.mark.parametrize("page", PAGES)
PYTHON = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks() -> list[tuple[str, int, str]]:
    """Every block of Python with its page and line."""
    found = []
    for page, path in PAGES.items():
        text = path.read_text(encoding="utf-8")
        found += [(page, text[: match.start()].count("\n") + 1, match[1]) for match in PYTHON.finditer(text)]
    return found


def is_program(block: str) -> bool:
    return "import" in block and "TailscaleSidecarStatefulSet(" in block


@pytest.mark.parametrize(("page", "line", "block"), [pytest.param(*b, id=f"{b[0]}:{b[1]}") for b in blocks()])
@pytest.mark.filterwarnings("ignore:shields_up=True")
def test_a_block_of_python_works(page: str, line: int, block: str, tmp_path: Path) -> None:
    compile(block, f"{page}:{line}", "exec")
    if is_program(block):
        program = tmp_path / "program.py"
        program.write_text(block, encoding="utf-8")
        assert one(rendered(program), "StatefulSet")


def test_the_readme_has_a_program_that_was_tried() -> None:
    assert [line for page, line, block in blocks() if page == "README.md" and is_program(block)]


@PAGE
def test_every_make_target_that_is_named_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(
        re.findall(r"(?:`|^\s*(?:\$ )?)make ([a-z][a-z-]*)", PAGES[page].read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named <= targets


@PAGE
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    path = PAGES[page]
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor and target.suffix == ".md":  # a picture's says in which colours it is shown
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@PAGE
def test_no_page_names_a_folder_of_one_machine(page: str) -> None:
    text = PAGES[page].read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert not re.search(r"/(work|home/\w+|Users/\w+)/", text)
    assert not re.search(r"(?<![\w~.])/(root)/", text)


@PAGE
def test_every_example_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"examples/([a-z_]+)", PAGES[page].read_text(encoding="utf-8"))
    assert [name for name in named if name not in (*PROGRAMS, "languages")] == []


@PAGE
def test_recorded_terminal_text_is_what_the_commands_print_today(page: str) -> None:
    text = PAGES[page].read_text(encoding="utf-8")
    assert recorded(text) == text, "python -m tests.recordings writes it anew"
