"""What must not be published is refused, with the reason; what is, is the same bytes whoever builds it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import release
from tests.support.examples import ROOT

PROJECT: dict[str, Any] = {
    "version": "1.2.3",
    "urls": {"Source": "https://github.com/us/ours", "Issues": "https://github.com/us/ours/issues"},
}


def changelog(*, unreleased: str = "", title: str = "1.2.3 - 2026-11-27") -> str:
    return f"# Changelog\n\n## Unreleased\n{unreleased}\n## {title}\n\n- A fix.\n\n## 1.2.2 - 2026-11-01\n\n- Older.\n"


def test_a_version_with_a_section_and_nothing_left_over_is_released() -> None:
    release.check_changelog(changelog(), "1.2.3")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changelog(title="1.2.30 - 2026-11-27"), "no section `## 1.2.3 - YYYY-MM-DD`"),
        (changelog(title="1.2.3"), "no section"),
        (changelog(unreleased="\n- Something new.\n"), "entries under Unreleased: move them to 1.2.3"),
    ],
)
def test_a_version_that_the_changelog_lacks_or_that_leaves_entries_behind_is_refused(text: str, said: str) -> None:
    with pytest.raises(release.ReleaseError, match=said.replace("(", r"\(")):
        release.check_changelog(text, "1.2.3")


def test_the_changelog_has_a_section_for_what_is_not_released() -> None:
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").count("\n## Unreleased\n") == 1


def test_a_tag_of_another_version_is_refused() -> None:
    release.check_tag("v1.2.3", PROJECT, "us/ours")
    with pytest.raises(release.ReleaseError, match=r"the tag is v1\.2\.4, and the version in pyproject\.toml 1\.2\.3"):
        release.check_tag("v1.2.4", PROJECT, "us/ours")


@pytest.mark.parametrize("repository", ["us/other", "us/our"])
def test_addresses_of_another_repository_are_refused(repository: str) -> None:
    with pytest.raises(release.ReleaseError, match=r"leads to .*us/ours/issues"):
        release.check_tag("v1.2.3", PROJECT, repository)


def test_the_projects_addresses_lead_to_one_repository() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    urls = tomllib.loads(text)["project"]["urls"]
    assert {"Documentation", "Source", "Issues", "Changelog"} <= urls.keys()
    assert set(re.findall(r"https://github\.com/[^/\s\"']+/[^/\s\"']+", text)) == {urls["Source"]}


def test_two_builds_of_a_commit_are_the_same_bytes(tmp_path: Path) -> None:
    built = release.build_twice(tmp_path / "dist")
    assert [path.suffix for path in built] == [".whl", ".gz"]


def test_a_build_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(folder: Path) -> list[Path]:
        (folder / "x.whl").write_text(str(folder), encoding="utf-8")
        return [folder / "x.whl"]

    monkeypatch.setattr(release, "build", build)
    with pytest.raises(release.ReleaseError, match=r"two builds of one commit differ: x\.whl"):
        release.build_twice(tmp_path / "dist")


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0 OR BSD-3-Clause", "Apache-2.0 AND MIT", "BSD License; MIT"])
def test_a_licence_that_was_looked_at_will_do(licence: str) -> None:
    assert release.unknown_licences([{"Name": "x", "License": licence}]) == []


@pytest.mark.parametrize("licence", ["UNKNOWN", "GPL-3.0-only", "MIT AND GPL-3.0-only", "LGPL", ""])
def test_any_other_licence_is_named(licence: str) -> None:
    assert release.unknown_licences([{"Name": "x", "License": licence}]) == [f"x ({licence})"]


KNOWN = {"name": "fine", "version": "1", "vulns": []}
OWN = {"name": "ours", "skip_reason": "not found on PyPI"}


def audited(path: Path, monkeypatch: pytest.MonkeyPatch, *, prints: str, fails: bool = False) -> str:
    """What comes of an audit in which pip-audit prints this."""
    (path / "lib/python3.11/site-packages").mkdir(parents=True)
    program = path / "pip-audit"
    (path / "prints").write_text(prints, encoding="utf-8")
    program.write_text(
        f"#!/bin/sh\ncat {path}/prints\necho no route to host >&2\nexit {int(fails)}\n", encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setattr(release, "BIN", path)
    return release.audit(path, "ours")


def test_an_audit_of_everything_has_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audited(tmp_path, monkeypatch, prints=json.dumps({"dependencies": [KNOWN, OWN]})) == ""


def test_a_known_vulnerability_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"name": "bad", "version": "1", "vulns": [{"id": "PYSEC-1"}]}
    with pytest.raises(release.ReleaseError, match="bad PYSEC-1"):
        audited(tmp_path, monkeypatch, prints=json.dumps({"dependencies": [KNOWN, found, OWN]}), fails=True)


def test_a_service_that_knows_no_package_is_no_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = {"name": "pulumi", "skip_reason": "Dependency not found on PyPI"}
    said = audited(tmp_path, monkeypatch, prints=json.dumps({"dependencies": [KNOWN, unknown, OWN]}))
    assert said == "the service knows nothing of 1 of 2 packages"


def test_a_service_out_of_reach_is_no_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audited(tmp_path, monkeypatch, prints="", fails=True) == "pip-audit ended with status 1: no route to host"


def test_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"wheel")
    release.write_checksums(tmp_path)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True)
