"""What changed from one look to the next, for `doctor --watch`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from ..report.findings import Finding, Told, natural
from .snapshot import Replica, Snapshot

TAILNET = {True: "online", False: "offline", None: ""}
FOUND = "found"
NEWEST = 20
"""Changes that are remembered, for a screen."""


class Change(Told):
    """One thing that is otherwise than at the look before."""

    time: datetime
    """Of the look that saw it."""
    object: str
    """As findings name it."""
    what: str
    """`status`, `restarts`, `state`, `device`, `address`, `tailnet` or `counted`; `found` for a finding."""
    before: str
    """Empty where there was nothing."""
    after: str
    """Empty where there is nothing any more."""

    def __str__(self) -> str:
        """As a person reads it."""
        if self.what == FOUND:
            return f"{self.object}: {self.after}" if self.after else f"{self.object}: no more {self.before}"
        return f"{self.object}: {self.what} {self.before or 'nothing'} → {self.after or 'nothing'}"


class Watch:
    """Remembers what the last look saw. What a look does not know is as it was."""

    def __init__(self) -> None:
        self._replicas: Mapping[str, Mapping[str, str]] | None = None
        self._found: frozenset[tuple[str, str]] = frozenset()
        self.newest: deque[Change] = deque(maxlen=NEWEST)
        """Since the first look, the newest first."""

    def look(self, snapshot: Snapshot, findings: Sequence[Finding]) -> list[Change]:
        """What is otherwise since the look before; nothing at the first."""
        before, found_before = self._replicas, self._found
        self._replicas = {r.ref: {**(before or {}).get(r.ref, {}), **known_facts(r)} for r in snapshot.replicas}
        self._found = frozenset((finding.object, finding.name) for finding in findings)
        if before is None:
            return []
        otherwise = [
            *((ref, *change) for ref, *change in replaced(before, self._replicas)),
            *((where, FOUND, "", name) for where, name in self._found - found_before),
            *((where, FOUND, name, "") for where, name in found_before - self._found),
        ]
        seen = [Change(time=snapshot.now, object=o, what=w, before=b, after=a) for o, w, b, a in otherwise]
        seen.sort(key=lambda change: (natural(change.object), change.what, change.after))
        self.newest.extendleft(reversed(seen))
        return seen


def known_facts(replica: Replica) -> Mapping[str, str]:
    """What is known of a replica."""
    device, state, inside = replica.device, replica.state, replica.inside
    addresses = device.addresses if device else state.addresses if state else ()
    counts = inside.counts if inside else None
    facts = {
        "status": replica.phase,
        "restarts": str(replica.restarts),
        "state": "" if state is None else "saved" if state.has_identity else "empty",
        "device": device.id if device else state.device_id if state else "",
        "address": next(iter(addresses), ""),
        "tailnet": TAILNET[inside.is_connected if inside else device.online if device else None],
        "counted": "" if counts is None else ", ".join(f"{name} {number}" for name, number in counts.items()) or "none",
    }
    return {what: fact for what, fact in facts.items() if fact}


def replaced(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str, str, str]]:
    """Replica, fact, and both its values; of a replica that comes or goes, its status alone."""
    for ref in before.keys() | after.keys():
        if ref in before and ref in after:
            for what in before[ref].keys() & after[ref].keys():
                if before[ref][what] != after[ref][what]:
                    yield ref, what, before[ref][what], after[ref][what]
        else:
            yield ref, "status", before.get(ref, {}).get("status", ""), after.get(ref, {}).get("status", "")
