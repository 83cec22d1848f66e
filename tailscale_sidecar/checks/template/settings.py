"""Checks of what the sidecar's programs refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...inspection.workload import Workload
from ...pod import rules
from ...report.findings import CODE, Defect, Severity
from ..registry import Seen, check_template

SETTINGS_REFUSED = Defect(
    name="settings-refused",
    severity=Severity.ERROR,
    why="containerboot or `tailscale up` refuses this, and the sidecar never comes up.",
    do="Correct it, or remove it.",
    source=f"{CODE}/cmd/containerboot/settings.go#L246",
)


@check_template(SETTINGS_REFUSED)
def settings_refused(workload: Workload) -> Iterator[Seen]:
    asked: tuple[Callable[[], object], ...] = (
        lambda: rules.tags(tuple(dict.fromkeys(workload.tags))),
        lambda: rules.containerboot_env(workload.env, kernel=workload.is_kernel),
    )
    for ask in asked:
        try:
            ask()
        except ValueError as error:
            yield Seen(f"{error}.")
