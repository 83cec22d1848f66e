"""Checks of the release of Tailscale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ...inspection.unknown_values import UnknownError
from ...inspection.workload import Workload, is_tailscale_image, is_true
from ...pod import rules
from ...pod.contract import TAILSCALE_IMAGE
from ...report.findings import UPSTREAM, Defect, Severity
from ..registry import Seen, check_template
from .login import OTHER_CREDENTIALS

DEFAULT_RELEASE = rules.release(TAILSCALE_IMAGE) or (0, 0, 0)
NEWEST = ".".join(map(str, DEFAULT_RELEASE))
"""The release that the component takes by default, which advice names."""

UNUSABLE_RELEASE = Defect(
    name="release-unusable",
    severity=Severity.ERROR,
    why="Releases before 1.94 know no OAuth client or workload identity, and 1.92.0 to 1.92.4 tie a state Secret to one node.",
    do="Use a release from 1.94 on, such as v{newest}.",
    source=f"{UPSTREAM}/18302",
)


@check_template(UNUSABLE_RELEASE)
def unusable_release(workload: Workload) -> Iterator[Seen]:
    for why in (unknown_credential, sealed_state):
        with suppress(UnknownError):
            reason = why(workload)
            if reason:
                yield Seen(f"Image {workload.image} {reason}.", {"newest": NEWEST})


def unknown_credential(workload: Workload) -> str:
    """What the release does not know of how it is to log in."""
    found = workload.release
    if found is None or found[:2] >= rules.OLDEST_RELEASE:
        return ""
    given = [name for name in workload.env if name in OTHER_CREDENTIALS]
    return f"does not know {', '.join(given)}" if given else ""


def sealed_state(workload: Workload) -> str:
    """Why its state cannot be read elsewhere."""
    found = workload.release
    seals = found is not None and found[:2] == (1, 92) and found[2] <= rules.LAST_TPM_PATCH
    return "seals the state to the node's TPM, so that the pod cannot move" if seals and in_secret(workload) else ""


def in_secret(workload: Workload) -> bool:
    """Whether the state is in a Secret."""
    return workload.state.kind == "secret"


SLOW_RELEASE = Defect(
    name="release-stalls-in-userspace",
    severity=Severity.WARNING,
    why="In userspace, TCP of releases 1.104.0 to 1.104.4 stalls for seconds, at times for tens of them, after a burst of loss.",
    do="Use v{newest}, or set TS_NETSTACK_ENABLE_RACK=false.",
    source=f"{UPSTREAM}/21946",
)


@check_template(SLOW_RELEASE)
def slow_release(workload: Workload) -> Iterator[Seen]:
    found = workload.release
    slow = found is not None and found[:2] == (1, 104) and found[2] <= rules.LAST_RACK_PATCH
    if slow and not workload.is_kernel and not is_off(workload.env.get("TS_NETSTACK_ENABLE_RACK", "")):
        yield Seen(f"Image {workload.image} in userspace.", {"newest": NEWEST})


def is_off(switch: str) -> bool:
    """Whether a Boolean variable says no."""
    return switch != "" and not is_true(switch, default=True)


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
    if found is not None and found[:2] < DEFAULT_RELEASE[:2] and not any(unusable_release(workload)):
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
    if is_tailscale_image(workload.image) and "@" not in workload.image and workload.release is None:
        yield Seen(f"Image {workload.image} names no release.", {"newest": NEWEST})
