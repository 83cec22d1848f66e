"""Findings as SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0), which code scanning reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from urllib.parse import quote

from ..pod.objects import Json
from .findings import Defect, Finding, Gap, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def log(found: Iterable[tuple[str, int, Finding]], gaps: Sequence[Gap], defects: Sequence[Defect]) -> Json:
    """A log of one run: findings, each with its file and line, and what could not be read."""
    index = {defect.name: number for number, defect in enumerate(defects)}
    notes = [{"level": "error", "message": {"text": f"{gap.what}: {gap.why}"}} for gap in gaps]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tailscale-sidecar lint",
                        "version": version("tailscale-sidecar"),
                        "rules": [_rule(defect) for defect in defects],
                    }
                },
                "invocations": [{"executionSuccessful": not gaps, "toolExecutionNotifications": notes}],
                "results": [_result(file, line, finding, index[finding.name]) for file, line, finding in found],
            }
        ],
    }


def _rule(defect: Defect) -> Json:
    rule: Json = {
        "id": defect.name,
        "shortDescription": {"text": defect.name.replace("-", " ")},
        "fullDescription": {"text": defect.why},
        "defaultConfiguration": {"level": LEVELS[defect.severity]},
    }
    return rule | ({"helpUri": defect.source} if defect.source.startswith("https://") else {})


def _result(file: str, line: int, finding: Finding, rule: int) -> Json:
    return {
        "ruleId": finding.name,
        "ruleIndex": rule,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.object}: {finding.what} {finding.do}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(file)}, "region": {"startLine": line}},
                "logicalLocations": [{"fullyQualifiedName": finding.object}],
            }
        ],
    }
