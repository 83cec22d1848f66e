"""What the docs show of other languages is the examples, and Pulumi's registry finds what it asks for."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tailscale_sidecar.package import schema
from tests.support.examples import ROOT

FOLDER = ROOT / "examples" / "languages"
EXAMPLES = {
    "typescript": "typescript/index.ts",
    "go": "go/main.go",
    "csharp": "csharp/Program.cs",
    "java": "java/App.java",
    "yaml": "yaml/Pulumi.yaml",
}
PAGES = {
    "languages.md": [*EXAMPLES.items(), ("typescript", "typescript/fleet/index.ts")],
    "_index.md": [*EXAMPLES.items()],
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_examples_as_they_are(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    files = [(name, (FOLDER / file).read_text(encoding="utf-8")) for name, file in PAGES[page]]
    assert sorted(blocks) == sorted(files)


def test_every_example_is_linked() -> None:
    linked = re.findall(
        r"\]\(\.\./examples/languages/([\w/]+)\)", (ROOT / "docs/languages.md").read_text(encoding="utf-8")
    )
    richer = {file.parent.relative_to(FOLDER).as_posix() for file in FOLDER.glob("*/fleet/*")}
    assert richer <= set(linked)
    assert all((FOLDER / folder).is_dir() for folder in linked)


@pytest.mark.parametrize("page", ["_index.md", "installation-configuration.md"])
def test_the_registry_s_pages_say_what_they_are(page: str) -> None:
    _, head, text = (ROOT / "docs" / page).read_text(encoding="utf-8").split("---\n", 2)
    said = yaml.safe_load(head)
    assert said.keys() == {"title", "meta_desc", "layout"}
    assert said["layout"] == "package"
    assert text.strip()


def test_the_schema_has_what_the_registry_asks_for() -> None:
    found = json.loads(schema.checked_in())
    asked = ("name", "displayName", "description", "version", "publisher", "repository", "homepage", "license")
    assert all(found[name] for name in (*asked, "keywords", "pluginDownloadURL"))
    assert {"kind/component", "category/network"} <= set(found["keywords"])


def test_what_is_installed_is_the_version_of_the_schema() -> None:
    version = json.loads(schema.checked_in())["version"]
    for page in ("languages.md", "installation-configuration.md"):
        assert re.findall(r"package@v(\S+)", (ROOT / "docs" / page).read_text(encoding="utf-8")) == [version]
    folder = json.loads(schema.checked_in())["pluginDownloadURL"].removeprefix(f"git://{schema.REPOSITORY[8:]}/")
    assert (ROOT / folder / "PulumiPlugin.yaml").exists()
    assert (ROOT / folder / "__main__.py").exists()
