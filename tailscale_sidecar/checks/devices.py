"""Checks of devices: those of the replicas, and those that were a replica's once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from ..inspection.snapshot import Replica, Snapshot
from ..inspection.tailnet import Device
from ..inspection.workload import Workload
from ..report.findings import GUIDE, UPSTREAM, Defect, Severity, quoted
from . import logs
from .registry import Seen, away_because, check_replica, check_workload
from .template.release import DEFAULT_RELEASE, NEWEST, OLD_RELEASE
from .words import ago, words

SOON = timedelta(days=14)
"""How long before the end of a key it is worth a warning."""


@away_because(logs.LOCKED_OUT)
def locked_out(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    error = replica.device.lock_error if replica.device else ""
    locked = next((text for text in health(replica) if "locked out" in text), error)
    if locked:
        yield Seen(quoted(locked), words(replica))


@away_because(logs.NOT_APPROVED)
def not_approved(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    if replica.device is not None and not replica.device.authorized:
        yield Seen(f"{replica.device.name} waits for approval.", words(replica))


NO_DEVICE = Defect(
    name="device-missing",
    severity=Severity.ERROR,
    why="The state names a device that is not on the tailnet: somebody deleted it, or the tailnet did as it was ephemeral.",
    do="kubectl delete pod {pod} --namespace {namespace}: it logs in anew, if its credential is still good.",
    source=f"{UPSTREAM}/20615",
)


@away_because(NO_DEVICE)
def no_device(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    complete = snapshot.tailnet is not None and snapshot.tailnet.complete
    if replica.device is None and complete and replica.state and replica.state.device_id:
        yield Seen(f"Device {device_name(replica)} is gone.", words(replica))


def told_by_log(defect: Defect) -> Callable[[Snapshot, Replica], Iterator[Seen]]:
    """The check whether the log of an offline device's sidecar tells of this defect."""

    def look(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
        told = logs.cause(replica, replica.log) if is_offline(snapshot, replica) else None
        if told is not None and told[0] is defect:
            yield Seen(told[1], words(replica))

    return look


for _defect in logs.DEFECTS:
    away_because(_defect)(told_by_log(_defect))


OFFLINE = Defect(
    name="device-offline",
    severity=Severity.ERROR,
    why="The pod runs, but the control plane has no connection to its device.",
    do="kubectl logs {pod} --namespace {namespace} --container {container} --tail=50",
    source=f"{UPSTREAM}/13620",
)


@away_because(OFFLINE)
def offline(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    if is_offline(snapshot, replica):
        yield Seen(how_offline(snapshot, replica), words(replica))


def is_offline(snapshot: Snapshot, replica: Replica) -> bool:
    """By the control plane where it was asked, else by the replica itself."""
    if replica.is_stuck:
        return False  # that says it all
    complete = snapshot.tailnet is not None and snapshot.tailnet.complete
    asked = complete and replica.device is not None and replica.device.online is False
    return asked or (replica.inside is not None and not replica.inside.is_connected)


def how_offline(snapshot: Snapshot, replica: Replica) -> str:
    """Since when, and what tailscaled says of it."""
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


# -- devices of replicas that run --------------------------------------------------------------


def device_of(replica: Replica) -> Device | None:
    """The device of a replica that runs, if it is known."""
    return replica.device if replica.is_ready and not replica.is_ending else None


EXPIRED = Defect(
    name="key-expired",
    severity=Severity.ERROR,
    why="The device is cut off until somebody logs it in again.",
    do="Disable key expiry for it in the admin console, then renew its key. Or give it tags: a tagged device's key stays.",
    source=f"{UPSTREAM}/7192",
)


@check_replica(EXPIRED)
def expired(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    device = device_of(replica)
    if device and device.expires and device.expires <= snapshot.now:
        yield Seen(f"The key of {device.name} expired on {device.expires:%Y-%m-%d}.")


EXPIRES_SOON = Defect(
    name="key-expires-soon",
    severity=Severity.WARNING,
    why="On that day the device is cut off until somebody logs it in again.",
    do="Disable key expiry for it in the admin console, or give it tags: a tagged device's key does not expire.",
    source=f"{UPSTREAM}/7192",
)


@check_replica(EXPIRES_SOON)
def expires_soon(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    device = device_of(replica)
    if device and device.expires and timedelta() < device.expires - snapshot.now < SOON:
        yield Seen(f"The key of {device.name} expires on {device.expires:%Y-%m-%d}.")


EXPIRES = Defect(
    name="key-expiry-enabled",
    severity=Severity.NOTE,
    why="On that day the device is cut off until somebody logs it in again.",
    do="Disable key expiry for it in the admin console, or give it tags: a tagged device's key does not expire.",
    source=f"{UPSTREAM}/7192",
)


@check_replica(EXPIRES)
def expires(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    device = device_of(replica)
    if device and device.expires and device.expires - snapshot.now >= SOON:
        yield Seen(f"The key of {device.name} expires on {device.expires:%Y-%m-%d}.")


EPHEMERAL = Defect(
    name="ephemeral-device",
    severity=Severity.WARNING,
    why="The state is kept, but the tailnet deletes the device when it is away for a while, and its address with it.",
    do="Append ?ephemeral=false&preauthorized=true to the client secret; the next new device then stays.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)


@check_replica(EPHEMERAL)
def ephemeral(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    device = device_of(replica)
    if device and device.ephemeral and replica.workload.state.kind in ("secret", "volume"):
        yield Seen(f"{device.name} is ephemeral.")


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


@check_replica(SUFFIXED)
def suffixed(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    wanted, fqdn = replica.hostname, device_name(replica)
    if re.fullmatch(rf"{re.escape(wanted)}-\d+", fqdn.partition(".")[0]):
        yield Seen(f"Its device is {fqdn}, and not {wanted}.", {"device": fqdn})


NO_NAMESERVER = Defect(
    name="no-nameserver",
    severity=Severity.WARNING,
    why=(
        "The sidecar's resolv.conf names no nameserver that tailscaled could hand other names on to, so that it leaves DNS as "
        "it is: the tailnet's names are not found (health code dns-empty-base-config, from 1.104 on)."
    ),
    do="Let the pod have nameservers: dnsPolicy ClusterFirst, or nameservers under dnsConfig.",
    source="https://github.com/tailscale/tailscale/blob/v1.104.5/net/dns/manager.go#L315",
)


@check_replica(NO_NAMESERVER)
def no_nameserver(snapshot: Snapshot, replica: Replica) -> Iterator[Seen]:
    said = next((text for text in health(replica) if "no system DNS servers" in text), "")
    if said:
        yield Seen(quoted(said))


# -- devices that were a replica's once --------------------------------------------------------


STALE = Defect(
    name="stale-device",
    severity=Severity.WARNING,
    why="No replica has this device any more. It counts towards the plan's limit, and keeps its name from others.",
    do="Delete it in the admin console.",
    source="https://github.com/tuist/tuist/pull/12414",
)


@check_workload(STALE)
def stale(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    for device in devices_without_replica(snapshot, workload):
        if not secret_with(snapshot, workload, device):
            yield Seen(f"Device {device.name} is offline{last_seen(snapshot, device)}, and no replica has it.")


SCALED_DOWN = Defect(
    name="scaled-down-device",
    severity=Severity.NOTE,
    why="The device of a replica that was scaled away comes back with it. Meanwhile it counts towards the plan's limit.",
    do="If the replica stays away: delete the device in the admin console, and Secret {secret} in namespace {namespace}.",
    source="https://github.com/tuist/tuist/pull/12414",
)


@check_workload(SCALED_DOWN)
def scaled_down(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    for device in devices_without_replica(snapshot, workload):
        secret = secret_with(snapshot, workload, device)
        if secret:
            what = (
                f"Device {device.name} is offline{last_seen(snapshot, device)}; Secret {secret} still has its identity."
            )
            yield Seen(what, {"secret": secret, "namespace": workload.namespace})


def devices_without_replica(snapshot: Snapshot, workload: Workload) -> Iterator[Device]:
    """Devices that are called as those of a StatefulSet are, are offline, and are no replica's."""
    if snapshot.tailnet is None or workload.kind != "StatefulSet" or not snapshot.secrets_known(workload.namespace):
        return
    prefix = workload.hostname(f"{workload.name}-0").removesuffix("-0")
    pattern = re.compile(rf"{re.escape(prefix)}-\d+")
    for device in snapshot.tailnet.devices:
        if pattern.fullmatch(device.hostname) and device.id not in snapshot.devices_in_use and device.online is False:
            yield device


def last_seen(snapshot: Snapshot, device: Device) -> str:
    """When, as a part of a sentence."""
    return f", last seen {ago(device.last_seen, snapshot.now)}" if device.last_seen else ""


def secret_with(snapshot: Snapshot, workload: Workload, device: Device) -> str:
    """The name of the state Secret that has a device's identity; nothing without one."""
    secrets = snapshot.secrets.get(workload.namespace, {}).values()
    return next((secret.name for secret in secrets if secret.device_id == device.id), "")


@check_workload(OLD_RELEASE)
def old_release_by_digest(snapshot: Snapshot, workload: Workload) -> Iterator[Seen]:
    """Old releases that an image's tag does not tell."""
    running = {r.device.version for r in snapshot.of(workload) if r.device and r.device.version}
    behind = sorted(version for version in running if numbers(version)[:2] < DEFAULT_RELEASE[:2])
    if workload.release is None and behind:
        yield Seen(f"{', '.join(behind)} runs; v{NEWEST} is out.", {"newest": NEWEST})


def numbers(version: str) -> tuple[int, ...]:
    """A release to be compared."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
