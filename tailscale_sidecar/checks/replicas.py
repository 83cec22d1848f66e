"""Checks of replicas: pods beside their state and their devices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from ..inspection.snapshot import Replica, Snapshot
from ..inspection.tailnet import Device
from ..inspection.workload import Workload
from ..pod.contract import QUAD100
from ..report.findings import GUIDE, UPSTREAM, Defect, Finding, Severity, quoted
from .logs import LOCKED_OUT, NOT_APPROVED, STUCK_AFTER_CRASH, cause
from .template import DEFAULT_RELEASE, OLD_RELEASE

RECENT = timedelta(days=1)
"""How long a restart that went well is worth a warning."""
SOON = timedelta(days=14)
"""How long before the end of a key it is worth a warning."""
KILLED_BY_MEMORY = "OOMKilled"

MISSING = Defect(
    name="replica-missing",
    severity=Severity.ERROR,
    why="Kubernetes has not made the pod.",
    do="kubectl describe {kind} {workload} --namespace {namespace} shows its events.",
    source="https://kubernetes.io/docs/tasks/debug/debug-application/debug-statefulset/",
)
POD_SECURITY = Defect(
    name="pod-security-forbids",
    severity=Severity.ERROR,
    why="Kernel networking needs privileges that the namespace's Pod Security level forbids.",
    do="Label the namespace pod-security.kubernetes.io/enforce=privileged, or use UserspaceNetworking().",
    source="https://kubernetes.io/docs/concepts/security/pod-security-standards",
)
NOT_READY = Defect(
    name="replica-not-ready",
    severity=Severity.ERROR,
    why="Something in the pod does not come up, and its log names none of the causes that are known here.",
    do="kubectl describe pod {pod} --namespace {namespace}; kubectl logs {pod} --namespace {namespace} --container {container}",
    source="docs/operations.md#if-something-is-wrong",
)
OUT_OF_MEMORY = Defect(
    name="sidecar-out-of-memory",
    severity=Severity.ERROR,
    why="tailscaled was killed for using more memory than its limit. It needs about 60 MiB, and more with many peers.",
    do="Raise the memory limit of container {container}, or remove it.",
    source=f"{UPSTREAM}/18774",
)
RESTARTED = Defect(
    name="sidecar-restarted",
    severity=Severity.WARNING,
    why="Each restart takes the replica off the tailnet for some seconds.",
    do="kubectl logs {pod} --namespace {namespace} --container {container} --previous shows what came before.",
    source="docs/operations.md#if-something-is-wrong",
)
NO_STATE = Defect(
    name="state-missing",
    severity=Severity.ERROR,
    why="The pod runs, but its identity is not saved: its next start will be a new device.",
    do="Look at the ServiceAccount's permission on Secret {secret}, and at what else writes to it.",
    source=f"{GUIDE}#step-1-persist-state-to-avoid-re-registrations",
)
NO_DEVICE = Defect(
    name="device-missing",
    severity=Severity.ERROR,
    why="The state names a device that is not on the tailnet: somebody deleted it, or the tailnet did as it was ephemeral.",
    do="kubectl delete pod {pod} --namespace {namespace}: it logs in anew, if its credential is still good.",
    source=f"{UPSTREAM}/20615",
)
OFFLINE = Defect(
    name="device-offline",
    severity=Severity.ERROR,
    why="The pod runs, but the control plane has no connection to its device.",
    do="kubectl logs {pod} --namespace {namespace} --container {container} --tail=50",
    source=f"{UPSTREAM}/13620",
)
SUFFIXED = Defect(
    name="device-name-suffixed",
    severity=Severity.WARNING,
    why=(
        "Another device has the name, often the same replica before it lost its state. "
        "What connects by name reaches that one."
    ),
    do="Delete the other device in the admin console, then rename {device} there.",
    source=f"{UPSTREAM}/10604",
)
STALE = Defect(
    name="stale-device",
    severity=Severity.WARNING,
    why="No replica has this device any more. It counts towards the plan's limit, and keeps its name from others.",
    do="Delete it in the admin console.",
    source="https://github.com/tuist/tuist/pull/12414",
)
SCALED_DOWN = Defect(
    name="scaled-down-device",
    severity=Severity.NOTE,
    why="It is of a replica that was scaled away, and comes back if that does. Meanwhile it counts towards the limit.",
    do="If it is not to come back: delete it in the admin console, and Secret {secret} in namespace {namespace}.",
    source="https://github.com/tuist/tuist/pull/12414",
)
EXPIRED = Defect(
    name="key-expired",
    severity=Severity.ERROR,
    why="The device is cut off until somebody logs it in again.",
    do="Disable key expiry for it in the admin console, then renew its key; or give it tags, which do so.",
    source=f"{UPSTREAM}/7192",
)
EXPIRES_SOON = Defect(
    name="key-expires-soon",
    severity=Severity.WARNING,
    why="The device is cut off at that time.",
    do="Disable key expiry for it in the admin console, or give it tags, which do so.",
    source=f"{UPSTREAM}/7192",
)
EXPIRES = Defect(
    name="key-expiry-enabled",
    severity=Severity.NOTE,
    why="A server should not be cut off because a date has passed.",
    do="Disable key expiry for it in the admin console, or give it tags, which do so.",
    source=f"{UPSTREAM}/7192",
)
EPHEMERAL = Defect(
    name="ephemeral-device",
    severity=Severity.WARNING,
    why="The state is kept, but the tailnet deletes the device when it is away for a while, and its address with it.",
    do="Append ?ephemeral=false&preauthorized=true to the client secret; the next new device then stays.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)
CREDENTIAL_MISSING = Defect(
    name="credential-missing",
    severity=Severity.ERROR,
    why="Pods that need it do not start.",
    do="Create the Secret {secret} with the key {key}.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)
CREDENTIAL_EPHEMERAL = Defect(
    name="credential-registers-ephemeral",
    severity=Severity.WARNING,
    why="An OAuth client's devices are ephemeral unless told otherwise: the tailnet deletes one that is away for a while.",
    do="Append ?ephemeral=false&preauthorized=true to the client secret in Secret {secret}.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)
MIXED_RELEASES = Defect(
    name="releases-differ",
    severity=Severity.NOTE,
    why="Replicas run different releases of Tailscale: a roll-out is under way or stuck, or the tag moved.",
    do="kubectl rollout status {kind}/{workload} --namespace {namespace}",
    source="https://github.com/hollie/tailscale-caddy-proxy/issues/5",
)


def pods(snapshot: Snapshot) -> Iterator[Finding]:
    """Pods that are missing or do not come up, and why."""
    for replica in snapshot.replicas:
        if replica.is_ending:
            continue
        if replica.pod is None:
            yield from _missing(snapshot, replica)
        elif not replica.is_ready:
            yield _unready(snapshot, replica)


def _missing(snapshot: Snapshot, replica: Replica) -> Iterator[Finding]:
    workload = replica.workload
    events = snapshot.events_of(workload.kind, workload.name, workload.namespace)
    messages = [str(event.get("message", "")) for event in events if event.get("reason") == "FailedCreate"]
    message = next((m for m in reversed(messages) if f"{replica.name} " in f"{m} "), messages[-1] if messages else "")
    if "violates PodSecurity" in message:
        yield POD_SECURITY.found(workload.ref, quoted(message))
        return
    # With OrderedReady the pods after one that is not ready are not made yet, and need no finding of their own.
    names = {other.name: other for other in snapshot.of(workload)}
    before = names.get(f"{workload.name}-{int(replica.name.rpartition('-')[2]) - 1}")
    ordered = workload.manifest["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    if message or before is None or before.is_ready or not ordered:
        yield MISSING.found(
            replica.ref, quoted(message) or "There is no such pod.", kind=workload.kind.lower(), **_words(replica)
        )


def _unready(snapshot: Snapshot, replica: Replica) -> Finding:
    told = cause(replica.log) or cause(replica.previous_log)
    words = _words(replica)
    if replica.is_stuck:
        return STUCK_AFTER_CRASH.found(replica.ref, _what_is_stuck(replica), **words)
    if told is not None:
        return told[0].found(replica.ref, told[1], **words)
    if replica.last_termination is not None and replica.last_termination.reason == KILLED_BY_MEMORY:
        return OUT_OF_MEMORY.found(replica.ref, _termination(replica, snapshot.now), **words)
    return NOT_READY.found(replica.ref, _symptoms(snapshot, replica), **words)


def _symptoms(snapshot: Snapshot, replica: Replica) -> str:
    """What can be said of a pod in trouble whose cause is not known: what it waits for, the last event, the log's end."""
    what = f"The pod is {replica.phase}."
    events = snapshot.events_of("Pod", replica.name, replica.workload.namespace)
    if replica.waiting is not None:
        container, reason, message = replica.waiting
        what = f"{container}: {reason}{f', {quoted(message)}' if message else ''}."
    elif events:
        what = quoted(str(events[-1].get("message", "")))
    lines = (replica.log or replica.previous_log).strip().splitlines()
    return f"{what} Its log ends: {quoted(lines[-1])}" if lines else what


def _what_is_stuck(replica: Replica) -> str:
    failed = dict.fromkeys(one.name for one in (replica.inside.look_ups if replica.inside else ()) if not one.works)
    seen = f"; {', '.join(failed)} cannot be looked up" if failed else ""
    return f"resolv.conf names {QUAD100}, and no tailscaled answers, after {restarted(replica)}{seen}."


def stuck(snapshot: Snapshot) -> Iterator[Finding]:
    """Pods that look ready between the crashes of a sidecar that never recovers."""
    for replica in snapshot.replicas:
        if replica.is_ready and not replica.is_ending and replica.restarts:
            told = cause(replica.previous_log)
            if replica.is_stuck:
                yield STUCK_AFTER_CRASH.found(replica.ref, _what_is_stuck(replica), **_words(replica))
            elif told is not None and told[0] is STUCK_AFTER_CRASH and not _is_connected(replica):
                yield STUCK_AFTER_CRASH.found(replica.ref, told[1], **_words(replica))


def _is_connected(replica: Replica) -> bool:
    return replica.inside is not None and replica.inside.is_connected


def restarts(snapshot: Snapshot) -> Iterator[Finding]:
    """Sidecars that restarted of late, and are back."""
    for replica in snapshot.replicas:
        ended = replica.last_termination
        if ended is None or not replica.is_ready or replica.is_stuck or snapshot.now - ended.at > RECENT:
            continue
        defect = OUT_OF_MEMORY if ended.reason == KILLED_BY_MEMORY else RESTARTED
        told = cause(replica.previous_log)
        said = f" Its log: {told[1]}" if told else ""
        yield defect.found(replica.ref, _termination(replica, snapshot.now) + said, **_words(replica))


def _termination(replica: Replica, now: datetime) -> str:
    ended = replica.last_termination
    if ended is None:
        return f"{restarted(replica)} of the sidecar."
    how = f"{ended.reason or 'ended'}, exit code {ended.exit_code}"
    return f"{restarted(replica)} of the sidecar, the last {ago(ended.at, now)} ({how})."


def state(snapshot: Snapshot) -> Iterator[Finding]:
    """Identities that are not saved."""
    for replica in snapshot.replicas:
        secret = replica.workload.state_secret(replica.name)
        known = snapshot.secrets_known(replica.workload.namespace)
        if known and secret and replica.is_ready and not (replica.state and replica.state.has_identity):
            what = f"Secret {secret} {'holds no identity' if replica.state else 'does not exist'}."
            yield NO_STATE.found(replica.ref, what, **_words(replica))


def devices(snapshot: Snapshot) -> Iterator[Finding]:
    """Devices of replicas that run: gone, offline, kept out, about to expire, under another name."""
    for replica in snapshot.replicas:
        if replica.is_ready and not replica.is_ending:
            yield from _device(snapshot, replica)


def _device(snapshot: Snapshot, replica: Replica) -> Iterator[Finding]:
    device, words = replica.device, _words(replica)
    locked = next((text for text in health(replica) if "locked out" in text), device.lock_error if device else "")
    if locked:
        yield LOCKED_OUT.found(replica.ref, quoted(locked), **words)
    elif device is not None and not device.authorized:
        yield NOT_APPROVED.found(replica.ref, f"{device.name} waits for approval.", **words)
    elif device is None and _is_gone(snapshot, replica):
        yield NO_DEVICE.found(replica.ref, f"Device {device_name(replica)} is gone.", **words)
    elif _is_offline(snapshot, replica):
        told = cause(replica.log) or (OFFLINE, _offline(snapshot, replica))
        yield told[0].found(replica.ref, told[1], **words)
    if device is not None:
        if device.ephemeral and replica.workload.state.kind in ("secret", "volume"):
            yield EPHEMERAL.found(replica.ref, f"{device.name} is ephemeral.", **words)
        yield from _expiry(snapshot, replica, device)


def _is_gone(snapshot: Snapshot, replica: Replica) -> bool:
    """Whether all devices are known, and the one that its state names is not among them."""
    return bool(snapshot.tailnet and snapshot.tailnet.complete and replica.state and replica.state.device_id)


def _is_offline(snapshot: Snapshot, replica: Replica) -> bool:
    """By the control plane where it was asked, else by the replica itself."""
    if replica.is_stuck:
        return False  # that says it all
    complete = snapshot.tailnet is not None and snapshot.tailnet.complete
    asked = complete and replica.device is not None and replica.device.online is False
    return asked or (replica.inside is not None and not replica.inside.is_connected)


def _offline(snapshot: Snapshot, replica: Replica) -> str:
    device, inside = replica.device, replica.inside
    seen = f", last seen {ago(device.last_seen, snapshot.now)}" if device and device.last_seen else ""
    what = f"{device_name(replica) or 'Its device'} is offline{seen}."
    if inside is None or inside.is_connected:
        return what
    if inside.status is None:
        return f"{what} tailscaled does not answer."
    state = inside.status.get("BackendState")
    says = "tailscaled is not connected to the control plane." if state == "Running" else f"tailscaled says {state}."
    return " ".join([what, says, *map(quoted, health(replica))])


def device_name(replica: Replica) -> str:
    """The device's name on the tailnet, as far as it is known."""
    return replica.device.name if replica.device else replica.state.fqdn if replica.state else ""


def health(replica: Replica) -> list[str]:
    """What tailscaled says of its own health (tailscale.com@v1.102.5 health/healthmsg/healthmsg.go)."""
    status = replica.inside.status if replica.inside else None
    return [str(text) for text in (status or {}).get("Health") or ()]


def _expiry(snapshot: Snapshot, replica: Replica, device: Device) -> Iterator[Finding]:
    if device.expires is None:
        return
    day = f"{device.expires:%Y-%m-%d}"
    if device.expires <= snapshot.now:
        yield EXPIRED.found(replica.ref, f"The key of {device.name} expired on {day}.")
    elif device.expires - snapshot.now < SOON:
        yield EXPIRES_SOON.found(replica.ref, f"The key of {device.name} expires on {day}.")
    else:
        yield EXPIRES.found(replica.ref, f"The key of {device.name} expires on {day}.")


def names(snapshot: Snapshot) -> Iterator[Finding]:
    """Devices whose name is not the one that they asked for, as another device has it."""
    for replica in snapshot.replicas:
        wanted = replica.workload.hostname(replica.name)
        fqdn = replica.device.name if replica.device else (replica.state.fqdn if replica.state else "")
        if re.fullmatch(rf"{re.escape(wanted)}-\d+", fqdn.partition(".")[0]):
            yield SUFFIXED.found(replica.ref, f"Its device is {fqdn}, and not {wanted}.", device=fqdn)


def stale(snapshot: Snapshot) -> Iterator[Finding]:
    """Devices that were a replica's once."""
    if snapshot.tailnet is None:
        return
    taken = {replica.device.id for replica in snapshot.replicas if replica.device}
    taken |= {replica.state.device_id for replica in snapshot.replicas if replica.state}
    for workload in snapshot.workloads:
        if workload.kind == "StatefulSet" and snapshot.secrets_known(workload.namespace):
            pattern = re.compile(rf"{re.escape(_prefix(workload))}-\d+")
            for device in snapshot.tailnet.devices:
                if pattern.fullmatch(device.hostname) and device.id not in taken and device.online is False:
                    yield _stale(snapshot, workload, device)


def _stale(snapshot: Snapshot, workload: Workload, device: Device) -> Finding:
    seen = f", last seen {ago(device.last_seen, snapshot.now)}" if device.last_seen else ""
    kept = [s.name for s in snapshot.secrets.get(workload.namespace, {}).values() if s.device_id == device.id]
    if kept:
        what = f"Device {device.name} is offline{seen}; Secret {kept[0]} still has its identity."
        return SCALED_DOWN.found(workload.ref, what, secret=kept[0], namespace=workload.namespace)
    return STALE.found(workload.ref, f"Device {device.name} is offline{seen}, and no replica has it.")


def _prefix(workload: Workload) -> str:
    """What comes before the ordinal in the names of its devices."""
    return workload.hostname(f"{workload.name}-0").removesuffix("-0")


def credentials(snapshot: Snapshot) -> Iterator[Finding]:
    """Credentials that the pods refer to."""
    for workload in snapshot.workloads:
        for credential in snapshot.credentials.get(workload.ref, ()):
            words = {"secret": credential.secret, "key": credential.key}
            if not credential.exists:
                what = f"Secret {credential.secret} has no key {credential.key}, or does not exist."
                yield CREDENTIAL_MISSING.found(workload.ref, what, **words)
            elif (
                credential.kind == "tskey-client"
                and workload.state.kind in ("secret", "volume")
                and not workload.is_component
                and credential.attributes.get("ephemeral", "true") == "true"
            ):
                what = f"The client secret in Secret {credential.secret} has no ephemeral=false."
                yield CREDENTIAL_EPHEMERAL.found(workload.ref, what, **words)


def releases(snapshot: Snapshot) -> Iterator[Finding]:
    """Replicas that run another release than their neighbours."""
    for workload in snapshot.workloads:
        images = {
            str(replica.sidecar_status.get("imageID"))
            for replica in snapshot.of(workload)
            if replica.sidecar_status.get("imageID")
        }
        if len(images) > 1:
            words = {"kind": workload.kind.lower(), "workload": workload.name, "namespace": workload.namespace}
            yield MIXED_RELEASES.found(workload.ref, f"{len(images)} different images of Tailscale run.", **words)


def running_releases(snapshot: Snapshot) -> Iterator[Finding]:
    """Old releases that an image's tag does not tell."""
    newest = ".".join(map(str, DEFAULT_RELEASE))
    for workload in snapshot.workloads:
        running = {r.device.version for r in snapshot.of(workload) if r.device and r.device.version}
        behind = sorted(version for version in running if numbers(version)[:2] < DEFAULT_RELEASE[:2])
        if workload.release is None and behind:
            yield OLD_RELEASE.found(workload.ref, f"{', '.join(behind)} runs; v{newest} is out.", newest=newest)


def numbers(version: str) -> tuple[int, ...]:
    """A release to be compared."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _words(replica: Replica) -> dict[str, str]:
    """What advice may name."""
    workload = replica.workload
    return {
        "pod": replica.name,
        "namespace": workload.namespace,
        "workload": workload.name,
        "container": str(workload.sidecar["name"]),
        "secret": workload.state_secret(replica.name),
    }


def restarted(replica: Replica) -> str:
    """How often."""
    return f"{replica.restarts} restart{'s' if replica.restarts > 1 else ''}"


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in one unit."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{seconds} s ago"


CHECKS = (pods, stuck, restarts, state, devices, names, stale, credentials, releases, running_releases)
