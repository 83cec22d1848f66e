"""What `doctor` and `preflight` say: defects that are known by name, findings of them, and what could not be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum

from pydantic import BaseModel, ConfigDict

GUIDE = "https://tailscale.com/docs/solutions/connect-kubernetes-pods-to-tailnet-using-sidecar"
GUIDE_TABLE = f"{GUIDE}#troubleshooting"
CODE = "https://github.com/tailscale/tailscale/blob/v1.102.5"
DOCS = "https://tailscale.com/docs"
UPSTREAM = "https://github.com/tailscale/tailscale/issues"

CREDENTIAL = re.compile(r"(tskey-[a-z]+|hskey-[a-z]+)-\w\S*")
LONGEST_LINE = 200
"""Characters of a log or an event that are shown."""


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"
    """Something does not work, or is about to stop."""
    WARNING = "warning"
    """It works, and the next crash, change or outage may end that."""
    NOTE = "note"
    """Worth knowing; nothing has to be done at night."""


class Told(BaseModel):
    """Base of what is told: it never changes, and nothing in it is called by a name that is not there."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Finding(Told):
    """One defect of one object."""

    name: str
    """Of the defect, in kebab-case. It never changes, so that scripts can rely on it."""
    severity: Severity
    object: str
    """What has it, as `kind namespace/name`, such as `Pod db/my-app-0`."""
    what: str
    """What was seen."""
    why: str
    """Why that is a problem."""
    do: str
    """What to do about it."""
    source: str
    """Where to read more: the guide, Tailscale's documentation, an issue."""


class Defect(Told):
    """A known way to go wrong: all of a finding but what was seen, and where."""

    name: str
    severity: Severity
    why: str
    do: str
    """May have placeholders, such as `{pod}`, which `found` fills in."""
    source: str

    def found(self, at: str, what: str, **words: object) -> Finding:
        """A finding of this defect at the object `at`; `words` are for the placeholders of `do`."""
        do = self.do.format(**words)
        return Finding(
            name=self.name, severity=self.severity, object=at, what=what, why=self.why, do=do, source=self.source
        )


class Gap(Told):
    """Something that was not looked at."""

    what: str
    why: str
    do: str
    optional: bool = False
    """Whether it needs something that not everybody has, such as a credential for Tailscale's API."""


class ExitStatus(IntEnum):
    """Of the command line, as CI reads it."""

    WELL = 0
    """No finding, or none that counts."""
    FINDINGS = 1
    """An error was found; with `--strict`, or a warning."""
    BLIND = 2
    """It could not look, or not at all that it should have."""


def exit_status(findings: Iterable[Finding], gaps: Iterable[Gap], *, strict: bool) -> ExitStatus:
    """What the command ends with. Notes never count, nor does what was optional to look at."""
    counted = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    if any(finding.severity in counted for finding in findings):
        return ExitStatus.FINDINGS
    return ExitStatus.BLIND if any(not gap.optional for gap in gaps) else ExitStatus.WELL


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; the same defect of several objects together."""
    order = list(Severity)
    return sorted(findings, key=lambda finding: (order.index(finding.severity), finding.name, natural(finding.object)))


def natural(text: str) -> list[str | int]:
    """A key that sorts `my-app-10` after `my-app-9`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def redacted(text: str) -> str:
    """The text without credentials."""
    return CREDENTIAL.sub(r"\1-...", text)


def quoted(line: str) -> str:
    """A line of a log or an event, fit to be shown: no credentials, no control characters, not too long."""
    visible = "".join(c if c.isprintable() else " " for c in redacted(line)).strip()
    return visible if len(visible) <= LONGEST_LINE else f"{visible[: LONGEST_LINE - 3]}..."


def listed(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
