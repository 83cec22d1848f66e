"""Checks, each registered with the one defect that it finds. What is told, and what the docs list, comes from here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, ParamSpec

from ..inspection.unknown_values import UnknownError
from ..inspection.workload import Workload
from ..report.findings import Defect, Finding

if TYPE_CHECKING:  # a command loads what it looks at, and no more
    from ..inspection.deployment_plan import Plan
    from ..inspection.deployment_target import Ground
    from ..inspection.snapshot import Replica, Snapshot

P = ParamSpec("P")


@dataclass(frozen=True)
class Seen:
    """What a check saw. Its defect says what that means."""

    what: str
    words: Mapping[str, object] = field(default_factory=dict)
    """For the placeholders of the defect's advice."""
    at: str = ""
    """The object that has it, where that is another than the one that was checked."""


@dataclass(frozen=True)
class Check(Generic[P]):
    """A check with its defect."""

    defect: Defect
    look: Callable[P, Iterable[Seen]]
    ref: Callable[P, str]
    """How findings name what is checked."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Finding]:
        """Its findings. It has none where it depends on a value that is not known."""
        with suppress(UnknownError):
            for seen in self.look(*args, **kwargs):
                yield self.defect.found(seen.at or self.ref(*args, **kwargs), seen.what, **seen.words)


class Checks(Generic[P]):
    """The checks of one kind of thing, in the order in which they were registered.

    `@checks(DEFECT)` registers a function that yields what it saw of that defect.
    """

    def __init__(self, ref: Callable[P, str]) -> None:
        self._ref = ref
        self._checks: list[Check[P]] = []

    def __call__(self, defect: Defect) -> Callable[[Callable[P, Iterable[Seen]]], Check[P]]:
        """Registers a function as the check for a defect."""

        def register(look: Callable[P, Iterable[Seen]]) -> Check[P]:
            check = Check(defect, look, self._ref)
            self._checks.append(check)
            return check

        return register

    def __iter__(self) -> Iterator[Check[P]]:
        return iter(self._checks)

    def defects(self) -> list[Defect]:
        """What the checks can find."""
        return [check.defect for check in self]

    def findings(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Finding]:
        """What all checks find; each runs once."""
        for check in self:
            yield from check(*args, **kwargs)

    def first(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Finding]:
        """What the first check finds that finds anything: of several causes for one symptom, one is told."""
        for check in self:
            found = list(check(*args, **kwargs))
            if found:
                yield from found
                return


check_template: Checks[[Workload]] = Checks(lambda workload: workload.ref)
"""Of a pod template by itself. These are the policies, too."""
check_templates: Checks[[Workload, Sequence[Workload]]] = Checks(lambda workload, _: workload.ref)
"""Of a pod template beside those before it."""
check_plan: Checks[[Ground, Plan]] = Checks(lambda _, plan: plan.ref)
check_workload: Checks[[Snapshot, Workload]] = Checks(lambda _, workload: workload.ref)
check_replica: Checks[[Snapshot, Replica]] = Checks(lambda _, replica: replica.ref)
not_ready_because: Checks[[Snapshot, Replica]] = Checks(lambda _, replica: replica.ref)
"""Causes, of which the first is told: of a pod that is there and is not ready."""
away_because: Checks[[Snapshot, Replica]] = Checks(lambda _, replica: replica.ref)
"""Causes, of which the first is told: of a ready pod whose device is not on the tailnet."""
