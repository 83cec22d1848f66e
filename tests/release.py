"""Builds what users install and checks it as a user would: `make dist`; `make release` when it is to be published.

All of it is made from the last commit, into dist/: wheel, sdist, a bill of materials (CycloneDX) and checksums.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.lab.shell import LabError, run, say, step
from tests.support.examples import CONFIG, ROOT

BIN = Path(sys.executable).parent
DIST = ROOT / "dist"
EXTRAS = "devices,doctor,policy,tailscale"
LICENCES = {
    *("Apache 2.0", "Apache-2.0", "Apache Software License"),
    *("BSD License", "3-Clause BSD License", "BSD-2-Clause", "BSD-3-Clause"),
    *("MIT", "MIT License", "MIT-0"),
    *("PSF-2.0", "Python Software Foundation License"),
    "Mozilla Public License 2.0 (MPL 2.0)",  # of certifi: files that are used unchanged
}
"""What a dependency may have, in the words that packages use: all may be shipped with a program of any licence."""


class ReleaseError(Exception):
    """This must not be published; the message says why, and the way out."""


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("--final", action="store_true", help="refuse a version that the CHANGELOG does not have")
    parser.add_argument("--tag", help="the tag that is published: refuse another version, and dependencies not audited")
    arguments = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    try:
        if arguments.final or arguments.tag:
            check_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), project["version"])
            check_committed()
        if arguments.tag:
            check_tag(arguments.tag, project, os.environ.get("GITHUB_REPOSITORY", ""))
        release(project, must_be_audited=bool(arguments.tag))
    except (ReleaseError, LabError) as error:
        say(f"! {error}")
        return 1
    return 0


def check_changelog(text: str, version: str) -> None:
    """Refuses a version without a section, and entries that no version has."""
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    if not any(re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", title) for title in sections):
        raise ReleaseError(
            f"CHANGELOG.md has no section `## {version} - YYYY-MM-DD`: docs/releasing.md says how to make it"
        )
    if sections.get("Unreleased", "").strip():
        raise ReleaseError(f"CHANGELOG.md has entries under Unreleased: move them to {version}, or raise the version")


def check_committed() -> None:
    """Refuses changes that are in no commit, and so would not be in the release."""
    if changed := run(["git", "status", "--porcelain"], cwd=ROOT).strip():
        raise ReleaseError(f"a release is made from the last commit; commit these, or take them back:\n{changed}")


def check_tag(tag: str, project: dict[str, Any], repository: str) -> None:
    """Refuses a tag of another version, and addresses of another repository than the one that publishes."""
    if tag != f"v{project['version']}":
        raise ReleaseError(f"the tag is {tag}, and the version in pyproject.toml {project['version']}")
    here = f"https://github.com/{repository}"
    if repository and (others := [url for url in project["urls"].values() if not f"{url}/".startswith(f"{here}/")]):
        raise ReleaseError(f"[project.urls] in pyproject.toml leads to {others}, and this is {here}")


def release(project: dict[str, Any], *, must_be_audited: bool) -> None:
    """Fills dist/."""
    shutil.rmtree(DIST, ignore_errors=True)
    with step("building wheel and sdist twice"):
        built = build_twice(DIST)
    run([BIN / "twine", "check", "--strict", *built])
    (wheel,) = (path for path in built if path.suffix == ".whl")
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        with step("using the wheel in a fresh environment"):
            use(wheel, environment)
        with step("checking what it brings along"):
            install(environment, f"{wheel}[{EXTRAS}]")
            check_licences(environment)
            write_bill_of_materials(environment, DIST / f"tailscale_sidecar-{project['version']}.cdx.json")
            missed = audit(environment, project["name"])
    write_checksums(DIST)
    say("\n".join(f"  dist/{path.name}" for path in sorted(DIST.iterdir())))
    if missed:
        say(f"! NOT AUDITED FOR VULNERABILITIES: {missed}")
        if must_be_audited:
            raise ReleaseError("what is published has to be audited: try again where pip-audit reaches its service")


def build_twice(dist: Path) -> list[Path]:
    """Builds in two folders; refuses what is not the same, byte for byte."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = build(Path(one)), build(Path(other))
        if different := [a.name for a, b in zip(first, second, strict=True) if a.read_bytes() != b.read_bytes()]:
            raise ReleaseError(f"two builds of one commit differ: {', '.join(different)}")
        dist.mkdir()
        return [Path(shutil.copy(path, dist)) for path in first]


def build(folder: Path) -> list[Path]:
    """Builds the sdist of the last commit, and from it the wheel; the commit's time is the time of every file."""
    archive, source, out = folder / "source.tar", folder / "source", folder / "out"
    run(["git", "archive", f"--output={archive}", "HEAD"], cwd=ROOT)
    source.mkdir()
    run(["tar", "--extract", f"--file={archive}", f"--directory={source}"])
    env = {**os.environ, "SOURCE_DATE_EPOCH": commit_time()}
    run([sys.executable, "-m", "build", "--no-isolation", f"--outdir={out}", source], env=env)
    return sorted(out.iterdir())


def commit_time() -> str:
    """Seconds since 1970."""
    return run(["git", "log", "-1", "--format=%ct"], cwd=ROOT).strip()


def use(wheel: Path, environment: Path) -> None:
    """Installs the wheel with the newest that it allows, and does with it what the README does."""
    run([BIN / "uv", "venv", "--quiet", "--python", sys.executable, environment])
    install(environment, str(wheel))
    run([environment / "bin/python", "-W", "error", "-c", "import tailscale_sidecar"], cwd=environment)
    run([environment / "bin/tailscale-sidecar", "--help"], cwd=environment)
    (environment / "infra.py").write_text(readme_program(), encoding="utf-8")
    secret = f"clientSecret={CONFIG['clientSecret']}"
    shown = run([environment / "bin/tailscale-sidecar", "render", "infra.py", "--config", secret], cwd=environment)
    if "kind: StatefulSet" not in shown:
        raise ReleaseError(f"the README's program renders no StatefulSet:\n{shown}")


def install(environment: Path, requirement: str) -> None:
    """Installs with nothing but what the requirement itself says."""
    run([BIN / "uv", "pip", "install", "--quiet", f"--python={environment}/bin/python", requirement], cwd=environment)


def readme_program() -> str:
    """The first program of the README."""
    found = re.search(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found
    return found[1]


def check_licences(environment: Path) -> None:
    """Refuses a dependency whose licence nobody has looked at."""
    listed = run([BIN / "pip-licenses", f"--python={environment}/bin/python", "--format=json"])
    if wrong := unknown_licences(json.loads(listed)):
        raise ReleaseError(f"licences to look at, and to add to tests/release.py if they will do: {', '.join(wrong)}")


def unknown_licences(packages: Iterable[dict[str, str]]) -> list[str]:
    """The packages with another licence than those of LICENCES."""
    return [
        f"{package['Name']} ({package['License']})"
        for package in packages
        if not set(re.split(r" AND | OR |; ", package["License"])) <= LICENCES
    ]


def write_bill_of_materials(environment: Path, path: Path) -> None:
    """Writes what a full installation consists of, as CycloneDX."""
    options = [f"--pyproject={ROOT}/pyproject.toml", "--mc-type=library", "--output-reproducible", "--short-PURLs"]
    env = {**os.environ, "SOURCE_DATE_EPOCH": commit_time()}
    run([BIN / "cyclonedx-py", "environment", *options, f"--output-file={path}", environment / "bin/python"], env=env)


def audit(environment: Path, own: str) -> str:
    """Refuses known vulnerabilities; says what could not be audited, which pip-audit itself takes for a success."""
    (packages,) = environment.glob("lib/python*/site-packages")
    command = [str(BIN / "pip-audit"), f"--path={packages}", "--format=json", "--progress-spinner=off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last_words = done.stderr.strip().rpartition("\n")[2]
        return f"pip-audit ended with status {done.returncode}: {last_words}"
    if vulnerable := [f"{item['name']} {vuln['id']}" for item in found for vuln in item.get("vulns", ())]:
        raise ReleaseError(f"known vulnerabilities: {', '.join(vulnerable)}")
    skipped = [item["name"] for item in found if "skip_reason" in item and item["name"] != own]
    return f"the service knows nothing of {len(skipped)} of {len(found) - 1} packages" if skipped else ""


def write_checksums(dist: Path) -> None:
    """Writes what `sha256sum --check` reads."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(dist.iterdir())]
    (dist / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
