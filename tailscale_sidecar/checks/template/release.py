"""Checks of the release of Tailscale."""

from __future__ import annotations

from collections.abc import Iterator

from ...inspection.workload import Workload
from ...pod import rules
from ...pod.contract import TAILSCALE_IMAGE
from ...report.findings import UPSTREAM, Defect, Severity
from ..registry import Seen, check_template

DEFAULT_RELEASE = rules.release(TAILSCALE_IMAGE) or (0, 0, 0)
NEWEST = ".".join(map(str, DEFAULT_RELEASE))
"""The release that the component takes by default, which advice names."""

UNUSABLE_RELEASE = Defect(
    name="release-unusable",
    severity=Severity.ERROR,
    why="Releases before 1.94 know no OAuth client or workload identity, and 1.92.0 to 1.92.4 tie the state to one node.",
    do="Use a release from 1.94 on, such as v{newest}.",
    source=f"{UPSTREAM}/18302",
)


@check_template(UNUSABLE_RELEASE)
def unusable_release(workload: Workload) -> Iterator[Seen]:
    reason = why_unusable(workload.image)
    if reason:
        yield Seen(f"Image {workload.image}: {reason}.", {"newest": NEWEST})


def why_unusable(image: str) -> str:
    """Why the component would not take this image; nothing where it would."""
    try:
        rules.tailscale_image(image)
    except ValueError as error:
        return str(error)
    return ""


OLD_RELEASE = Defect(
    name="release-behind",
    severity=Severity.NOTE,
    why="It lacks the fixes of the releases since.",
    do="Upgrade to v{newest} or later; each pod restarts once.",
    source="https://tailscale.com/changelog",
)


@check_template(OLD_RELEASE)
def old_release(workload: Workload) -> Iterator[Seen]:
    found = workload.release
    if found is not None and found[:2] < DEFAULT_RELEASE[:2] and not why_unusable(workload.image):
        yield Seen(f"Image {workload.image}; v{NEWEST} is out.", {"newest": NEWEST})


FLOATING_IMAGE = Defect(
    name="image-not-pinned",
    severity=Severity.NOTE,
    why="A pod that moves to another node may come up with another release than its neighbours.",
    do="Pin a release, such as ghcr.io/tailscale/tailscale:v{newest}.",
    source="https://github.com/hollie/tailscale-caddy-proxy/issues/5",
)


@check_template(FLOATING_IMAGE)
def floating_image(workload: Workload) -> Iterator[Seen]:
    if "@" not in workload.image and workload.release is None and not why_unusable(workload.image):
        yield Seen(f"Image {workload.image} names no release.", {"newest": NEWEST})
