"""Checks of how the sidecar logs in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...inspection.workload import Workload, is_true
from ...report.findings import CODE, DOCS, Defect, Severity
from ..registry import Seen, check_template

NEW_KEY_EACH_START = Defect(
    name="new-key-each-start",
    severity=Severity.WARNING,
    why=(
        "Without TS_AUTH_ONCE each start asks the API for a new auth key, though the device has its identity: while the "
        "API is away, or after the client was revoked, pods that restart do not come back."
    ),
    do="Set TS_AUTH_ONCE=true. Flags that change later then need `tailscale set` in each pod.",
    source=f"{DOCS}/features/containers/docker/docker-params",
)


@check_template(NEW_KEY_EACH_START)
def new_key_each_start(workload: Workload) -> Iterator[Seen]:
    made_by_api = workload.auth in ("OAuthClient", "WorkloadIdentity")
    by_hand = made_by_api and not workload.is_component and keeps_its_device(workload)
    if by_hand and not is_true(workload.env.get("TS_AUTH_ONCE", "")):
        yield Seen("TS_AUTH_ONCE is not set.")


EPHEMERAL_IDENTITY = Defect(
    name="ephemeral-identity",
    severity=Severity.WARNING,
    why="A federated client ID without attributes registers ephemeral devices: one that is away for a while is deleted.",
    do="Append ?ephemeral=false&preauthorized=true to TS_CLIENT_ID.",
    source=f"{CODE}/feature/identityfederation/identityfederation.go#L95",
)


@check_template(EPHEMERAL_IDENTITY)
def ephemeral_identity(workload: Workload) -> Iterator[Seen]:
    lasting = workload.auth == "WorkloadIdentity" and keeps_its_device(workload)
    if lasting and re.fullmatch(r"[^?]+", workload.env.get("TS_CLIENT_ID", "")):
        yield Seen("TS_CLIENT_ID has no attributes.")


def keeps_its_device(workload: Workload) -> bool:
    """Whether a new pod comes back as the same device."""
    return workload.state.kind in ("secret", "volume")


NO_TAGS = Defect(
    name="no-tags",
    severity=Severity.ERROR,
    why="Tailscale gives OAuth clients and workload identities keys for tagged devices only.",
    do="Add --advertise-tags=tag:... to TS_EXTRA_ARGS.",
    source=f"{CODE}/feature/oauthkey/oauthkey.go#L36",
)


@check_template(NO_TAGS)
def no_tags(workload: Workload) -> Iterator[Seen]:
    if workload.auth in ("OAuthClient", "WorkloadIdentity") and not workload.tags:
        yield Seen(f"{workload.auth} without --advertise-tags.")


KEYS = ("TS_AUTHKEY", "TS_AUTH_KEY")
OTHER_CREDENTIALS = ("TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE")

TWO_CREDENTIALS = Defect(
    name="two-credentials",
    severity=Severity.ERROR,
    why="containerboot refuses to start with an auth key beside another credential.",
    do="Keep one of TS_AUTHKEY and TS_CLIENT_ID, TS_CLIENT_SECRET, TS_ID_TOKEN, TS_AUDIENCE.",
    source=f"{CODE}/cmd/containerboot/settings.go#L300",
)


@check_template(TWO_CREDENTIALS)
def two_credentials(workload: Workload) -> Iterator[Seen]:
    given = [name for name in workload.env if name in (*KEYS, *OTHER_CREDENTIALS)]
    key = next((name for name in KEYS if name in given), None)
    others = [name for name in OTHER_CREDENTIALS if name in given]
    if key and others:
        yield Seen(f"{key} and {', '.join(others)} are set.")


IN_THE_MANIFEST = Defect(
    name="credential-in-manifest",
    severity=Severity.WARNING,
    why="Whoever may read the workload or its pods reads the credential there, and so do the manifest's history and backups.",
    do="Revoke it, put a new one into a Secret, and let {name} come from that by secretKeyRef.",
    source="https://kubernetes.io/docs/concepts/security/secrets-good-practices/",
)
SECRET = (*KEYS, "TS_CLIENT_SECRET", "TS_ID_TOKEN")


@check_template(IN_THE_MANIFEST)
def credential_in_the_manifest(workload: Workload) -> Iterator[Seen]:
    for variable in workload.sidecar.get("env") or ():
        name, value = variable["name"], variable.get("value")
        if name in SECRET and value and not variable.get("valueFrom") and not value.startswith(("file:", "$(")):
            yield Seen(f"{name} has its value in the manifest.", {"name": name})
