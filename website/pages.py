"""Pages of the site that are not in docs/, made from what they tell of: the README, examples, defects and docstrings.

MkDocs calls what is named `on_...` (https://www.mkdocs.org/dev-guide/plugins/#events).
"""

from __future__ import annotations

import ast
import logging
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel

import tailscale_sidecar
from tailscale_sidecar.checks import catalogue
from tailscale_sidecar.report.findings import Defect

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s]+)(?=\))")
FENCE = re.compile(r"(^```.*?^```|^ {4}.*?$)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)
LAYERS = {"cluster": "on a real cluster", "engine": "by a real `pulumi up`", "faults": "as a fault, on a real cluster"}
PLANTED = "On made-up data: [what is planted for it](../../tests/support/planted.py)."
COMMANDS = {
    "doctor": catalogue.doctor,
    "preflight": catalogue.preflight,
    "policy": catalogue.policy,
    "lint": catalogue.lint,
}
log = logging.getLogger("mkdocs.pages")
"""A warning ends a strict build."""


def on_config(config: MkDocsConfig) -> None:
    """Puts what is made, and the runbooks that were written, in the navigation."""
    sections = {name: pages for entry in config.nav or [] if isinstance(entry, dict) for name, pages in entry.items()}
    sections["Examples"] += [f"examples/{name}.md" for name in linked_examples()]
    written = {f"runbooks/{path.name}" for path in ROOT.glob("docs/runbooks/*.md")}
    sections["Runbooks"] += sorted(written | {runbook(name) for name in defects()})
    sections["API reference"] += [f"reference/{name}.md" for name in tailscale_sidecar.__all__]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds what is made."""
    for uri, text in made().items():
        if written := files.get_file_from_path(uri):
            files.remove(written)
        files.append(File.generated(config, uri, content=text))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links lead to what the site has of the repository, and else to the repository itself."""
    source = {"index.md": "README.md"}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def changed(link: re.Match[str]) -> str:
        path, hash_, anchor = link[1].partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path)) if path else source
        found = in_site(target)
        if (file := files.get_file_from_path(found)) and file.inclusion.is_included():
            return posixpath.relpath(found, posixpath.dirname(page.file.src_uri) or ".") + hash_ + anchor
        if not (ROOT / target).exists():
            log.warning("%s has a link to %s, which is not there", source, link[1])
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{config.extra['repository']}/{kind}/main/{target}{hash_}{anchor}"

    parts = FENCE.split(ROW.sub(to_runbook, markdown))
    return "".join(part if index % 2 else LINK.sub(changed, part) for index, part in enumerate(parts))


def to_runbook(row: re.Match[str]) -> str:
    """The row of a table of defects, whose name leads to its runbook."""
    return f"| [`{row[1]}`](runbooks/{row[1]}.md) |" if row[1] in defects() else row[0]


def on_page_content(html: str, **_: Any) -> str:
    """The corner of a table is no heading where it is empty."""
    return html.replace("<th></th>", "<td></td>")


def on_post_page(output: str, **_: Any) -> str:
    """The theme's search is a dialog without a name."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def in_site(path: str) -> str:
    """Where the site would have a file of the repository."""
    if path == "README.md":
        return "index.md"
    if example := re.fullmatch(r"examples/(\w+)(/__main__\.py)?", path):
        return f"examples/{example[1]}.md"
    return path.removeprefix("docs/")


def made() -> dict[str, str]:
    """The pages that are made, by where the site has them."""
    return {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8"),
        **{f"examples/{name}.md": example_page(name) for name in linked_examples()},
        **{runbook(name): runbook_page(defect) for name, defect in defects().items()},
        **{f"reference/{name}.md": reference_page(name) for name in tailscale_sidecar.__all__},
    }


def linked_examples() -> list[str]:
    """The examples in the order of their page."""
    return re.findall(r"examples/(\w+)/__main__\.py", (ROOT / "docs" / "examples.md").read_text(encoding="utf-8"))


def example_page(name: str) -> str:
    """A program that the tests deploy."""
    program = (ROOT / "examples" / name / "__main__.py").read_text(encoding="utf-8")
    about = ast.get_docstring(ast.parse(program)) or ""
    return f"# {name}\n\n{about}\n\n```python\n{program.partition(chr(10))[2].strip()}\n```\n"


def reference_page(name: str) -> str:
    """A public class: what one gives it and gets from it, and not what its siblings in the package use."""
    public = getattr(tailscale_sidecar, name)
    page = f"# {name}\n\n::: tailscale_sidecar.{name}\n"
    if not issubclass(public, BaseModel):
        return page
    members = [*public.model_fields, *(["create"] if hasattr(public, "create") else [])]
    return f"{page}    options:\n      members: {members}\n      merge_init_into_class: false\n"


@cache
def defects() -> dict[str, Defect]:
    """All that any command finds."""
    return {defect.name: defect for find in COMMANDS.values() for defect in find()}


def runbook(name: str) -> str:
    """Where the runbook of a defect is."""
    return f"runbooks/{name}.md"


def runbook_page(defect: Defect) -> str:
    """Of a defect: what is registered of it, what was written of it besides, and where it was played."""
    finders = [command for command, find in COMMANDS.items() if defect in find()]
    more = ROOT / "docs" / runbook(defect.name)
    parts = [
        f"# {defect.name}",
        f"{defect.severity.capitalize()}. {placeholders(defect.why)}",
        f"## What to do\n\n{placeholders(defect.do)}",
        "## How to see it\n\n" + "\n".join(how_to_see(command) for command in finders),
        more.read_text(encoding="utf-8").partition("\n")[2].strip() if more.exists() else "",
        "## How it was played\n\n" + ("\n".join(played(defect.name)) or PLANTED),
        f"## Source\n\n<{defect.source}>" if "://" in defect.source else f"## Source\n\n{here(defect.source)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def how_to_see(command: str) -> str:
    """The command that finds it, as one calls it."""
    called = {"policy": "`pulumi preview --policy-pack policy`", "lint": "`tailscale-sidecar lint -f FILE`"}
    return f"- {called.get(command, f'`tailscale-sidecar {command}`')} ([{command}](../{command}.md))"


def here(source: str) -> str:
    """A link to a section of these docs."""
    return (
        f"[{source.removeprefix('docs/').replace('.md#', ': ').replace('-', ' ')}](../{source.removeprefix('docs/')})"
    )


def placeholders(text: str) -> str:
    """What a finding fills in, as one writes it by hand, and links to the defects that it names."""
    shown = re.sub(r"\{(\w+)\}", lambda match: f"*{match[1].upper()}*", text)
    return re.sub(r"(?<=[ (])[a-z]+(?:-[a-z]+)+(?=[ ,.)])", linked, shown)


def linked(match: re.Match[str]) -> str:
    """A defect's name as a link to its runbook; all else as it is."""
    return f"[{match[0]}]({match[0]}.md)" if match[0] in defects() else match[0]


def played(name: str) -> Iterator[str]:
    """The tests that name a defect, those on real clusters first."""
    for layer in [*LAYERS, "unit"]:
        for path, tests in tests_of(layer).items():
            for test, source in tests.items():
                if f'"{name}"' in source:
                    where = LAYERS.get(layer, "on made-up data")
                    yield f"- {where}: [{test.removeprefix('test_').replace('_', ' ')}](../../{path})"


@cache
def tests_of(layer: str) -> dict[str, dict[str, str]]:
    """The source of each test, with its decorators, by file and name."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((ROOT / "tests" / layer).rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        nodes: list[Any] = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        found[path.relative_to(ROOT).as_posix()] = {
            node.name: "\n".join(
                lines[min([node, *node.decorator_list], key=lambda n: n.lineno).lineno - 1 : node.end_lineno]
            )
            for node in nodes
            if node.name.startswith("test_")
        }
    return found
