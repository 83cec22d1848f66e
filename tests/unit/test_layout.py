"""The folders of the package stand one above the other: each imports from those below it only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tailscale_sidecar

PACKAGE = Path(tailscale_sidecar.__file__).parent
FLOORS = (
    ("pod",),
    ("report", "clients"),
    ("choices",),
    ("devices",),
    ("inspection",),
    ("checks",),
    ("component", "render"),
    ("adoption", "package"),
    ("commands",),
)
"""From the ground up. Folders that stand side by side do not import each other."""
HEIGHT = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in PACKAGE.rglob("*.py")}


def imports(name: str) -> Iterator[str]:
    """The modules of the package that a module imports, wherever in it the import stands."""
    path = MODULES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            found = ".".join(filter(None, base))
            for alias in node.names:
                inner = f"{found}.{alias.name}".lstrip(".")
                yield inner if inner in MODULES else found


@pytest.mark.parametrize("folder", HEIGHT)
def test_a_folder_imports_nothing_from_above_it(folder: str) -> None:
    up = [
        f"{name} imports {other}"
        for name in MODULES
        if name.split(".")[0] == folder
        for other in imports(name)
        if other.split(".")[0] != folder and HEIGHT.get(other.split(".")[0], len(FLOORS)) >= HEIGHT[folder]
    ]
    assert up == []


def test_every_folder_has_its_floor() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(HEIGHT)


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package's own __init__ hands on what is in its folder, which is no circle.
    graph = {name: {other for other in imports(name) if not name.startswith(f"{other}.")} for name in MODULES if name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(circle.args[1]))


def test_no_test_module_imports_another() -> None:
    tests = Path(__file__).parents[1]
    found = [
        f"{path.relative_to(tests)} imports {name}"
        for path in tests.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None) or "", *(alias.name for alias in node.names))
        if any(part.startswith("test_") for part in name.split("."))
    ]
    assert found == []
