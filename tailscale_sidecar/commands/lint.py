"""`tailscale-sidecar lint`: what is wrong with sidecars in YAML, without a cluster and without Pulumi."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..checks.template import KINDS, MALFORMED, check_template, check_templates
from ..inspection.known_workload import KnownWorkload
from ..inspection.shapes import in_shape, workload_objects
from ..inspection.workload import Workload, workloads
from ..inspection.yaml_objects import Located, NotReadableError, objects
from ..pod.objects import Json
from ..report import sarif
from ..report.findings import Finding, Gap, exit_status, redacted
from ..report.text import Style, findings_text, gaps_text, summary

STDIN = "-"


@dataclass(frozen=True)
class Place:
    """Where a finding is."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Linted:
    """What was found."""

    found: list[tuple[Place, Finding]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """Those of all files."""
        return [finding for _, finding in self.found]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "-f", "--file", nargs="+", action="extend", metavar="FILE", help="YAML or JSON; - is what is piped (default)"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list of findings")
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0, for code scanning")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints what was found, and returns the exit status."""
    linted = Linted()
    for file in options.file or [STDIN]:
        lint(file, linted)
    if options.sarif:
        found = [(place.file, place.line, finding) for place, finding in linted.found]
        print(json.dumps(sarif.log(found, linted.gaps, [*check_template.defects(), MALFORMED]), indent=2))
    elif options.json:
        print(json.dumps([as_json(place, finding) for place, finding in linted.found], indent=2))
    else:
        style = Style.of(sys.stdout)
        placed = [f.model_copy(update={"object": f"{place}: {f.object}"}) for place, f in linted.found]
        print("\n".join([*findings_text(placed, style), *gaps_text(linted.gaps, style), summary(placed, style, None)]))
    if options.json:
        for gap in linted.gaps:
            print(f"tailscale-sidecar lint: {gap.what}: {gap.why}", file=sys.stderr)
    return exit_status(linted.findings, linted.gaps, strict=options.strict)


def lint(file: str, linted: Linted) -> None:
    """Adds what is wrong with the workloads of a file."""
    name = "stdin" if file == STDIN else file
    manifests: list[Located] = []
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8")
        for manifest in workload_objects(objects(text), KINDS):
            manifests.append(manifest)  # noqa: PERF402 - what comes before an error counts
    except (OSError, NotReadableError, UnicodeDecodeError) as error:
        why = f"{error.strerror}" if isinstance(error, OSError) else str(error)
        linted.gaps.append(Gap(what=name, why=redacted(why), do="correct the file, or leave it out"))
    earlier: list[Workload] = []
    for manifest in manifests:
        kept, misfits = in_shape(manifest)
        for found in workloads([kept], KINDS):
            workload = KnownWorkload(found.manifest)
            for misfit in misfits:
                linted.found.append((Place(name, misfit.line), MALFORMED.found(workload.ref, misfit.what)))
            for finding in (*check_template.findings(workload), *check_templates.findings(workload, earlier)):
                shown = finding.model_copy(update={"what": redacted(finding.what)})
                linted.found.append((Place(name, line_of(shown, workload, manifest)), shown))
            earlier.append(workload)


def line_of(finding: Finding, workload: Workload, manifest: Located) -> int:
    """The line of the variable that a finding names, else of the sidecar."""
    named = (v for v in workload.sidecar.get("env") or () if str(v.get("name")) in finding.what)
    places: Iterator[Json] = iter([*named, workload.sidecar, manifest])
    return next(place.line for place in places if isinstance(place, Located))


def as_json(place: Place, finding: Finding) -> Json:
    """For programs."""
    return {
        "name": finding.name,
        "severity": finding.severity.value,
        "workload": finding.object,
        "what": finding.what,
        "why": finding.why,
        "do": finding.do,
        "source": finding.source,
        "file": place.file,
        "line": place.line,
    }
