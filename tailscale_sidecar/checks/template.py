"""Checks of a pod template by itself: they need no cluster, so that they hold for a program's objects as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from ..inspection.unknown_values import KnownWorkload, UnknownError
from ..inspection.workload import POD_INDEX, POD_NAME, Workload, is_true
from ..pod import rules
from ..pod.contract import BURST_REPLICAS, TAILSCALE_IMAGE
from ..pod.objects import Json
from ..pod.pod_spec import asked_of_the_tailnet
from ..pod.rules import release
from ..report.findings import CODE, GUIDE, GUIDE_TABLE, UPSTREAM, Defect, Finding, Severity

DOCS = "https://tailscale.com/docs"
DEFAULT_RELEASE = release(TAILSCALE_IMAGE) or (0, 0, 0)
GVISOR = ("gvisor", "runsc")
"""What gVisor's documentation, GKE and minikube call its RuntimeClass."""
BOOT_SECONDS = 60
"""What containerboot waits for the tailnet unless TS_BOOT_TIMEOUT says otherwise (cmd/containerboot/settings.go)."""

STATE_NOT_KEPT = Defect(
    name="state-not-kept",
    severity=Severity.ERROR,
    why="Every restart registers a new device. Under load this floods the control plane and meets its rate limits.",
    do="Set TS_KUBE_SECRET to $(POD_NAME), or TS_STATE_DIR to a folder on a persistent volume.",
    source=GUIDE_TABLE,
)
STATE_IN_POD = Defect(
    name="state-in-pod",
    severity=Severity.WARNING,
    why="The state is in an emptyDir: it survives a crash, but every new pod is a new device, and the old one stays.",
    do="Set TS_KUBE_SECRET to $(POD_NAME), or put TS_STATE_DIR on a persistent volume.",
    source=f"{GUIDE}#optional-preserve-container-states",
)
SHARED_STATE = Defect(
    name="shared-state",
    severity=Severity.ERROR,
    why="Pods with one state are one device: each takes the identity from the other, and neither stays connected.",
    do="Give each pod its own: TS_KUBE_SECRET=$(POD_NAME), or a volume claim template.",
    source=f"{UPSTREAM}/4837",
)
DEPLOYMENT = Defect(
    name="deployment-instead-of-statefulset",
    severity=Severity.ERROR,
    why="Pod names are not stable, so each new pod makes a new state Secret and a new device, and orphans the old ones.",
    do="Use a StatefulSet.",
    source=GUIDE_TABLE,
)
LIVENESS_PROBE = Defect(
    name="liveness-probe-on-tailnet",
    severity=Severity.ERROR,
    why="Whenever the tailnet is away for a moment the probe restarts the container. That makes an outage worse.",
    do="Remove the probe from container {container}, or let it ask the app itself.",
    source=GUIDE_TABLE,
)
SIDECAR_LIVENESS_PROBE = Defect(
    name="liveness-probe-on-sidecar",
    severity=Severity.WARNING,
    why="containerboot restarts tailscaled where that helps; a probe adds restarts where it does not.",
    do="Remove the livenessProbe of container {container}, as Tailscale's operator does.",
    source=f"{GUIDE}#step-7-optional-configure-health-checks-and-observability",
)
IMPATIENT_START = Defect(
    name="startup-probe-too-short",
    severity=Severity.WARNING,
    why=f"containerboot alone waits {BOOT_SECONDS} s for the tailnet; the probe restarts it before, again and again.",
    do="Give the startupProbe of container {container} a failureThreshold that outlasts any outage.",
    source=f"{UPSTREAM}/13620",
)
PARALLEL = Defect(
    name="parallel-at-scale",
    severity=Severity.WARNING,
    why="All pods start at once and flood the control plane with registrations.",
    do="Set registration_rate, or scale in steps. OrderedReady is the other way: a change to it replaces the StatefulSet.",
    source=GUIDE_TABLE,
)
SHARED_RESOLV_CONF = Defect(
    name="crash-would-break-dns",
    severity=Severity.WARNING,
    why=(
        "With TS_ACCEPT_DNS tailscaled rewrites the resolv.conf that all containers of the pod share. After one crash "
        "it goes on naming 100.100.100.100: nothing in the pod can be looked up, and the sidecar never comes back."
    ),
    do="Give the sidecar a resolv.conf of its own, as this component does, or set TS_ACCEPT_DNS=false.",
    source="docs/how-it-works.md#startsh-a-clean-start-every-time",
)
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
EPHEMERAL_IDENTITY = Defect(
    name="ephemeral-identity",
    severity=Severity.WARNING,
    why="A federated client ID without attributes registers ephemeral devices: one that is away for a while is deleted.",
    do="Append ?ephemeral=false&preauthorized=true to TS_CLIENT_ID.",
    source=f"{CODE}/feature/identityfederation/identityfederation.go#L95",
)
NO_TAGS = Defect(
    name="no-tags",
    severity=Severity.ERROR,
    why="Tailscale gives OAuth clients and workload identities keys for tagged devices only.",
    do="Add --advertise-tags=tag:... to TS_EXTRA_ARGS.",
    source=f"{CODE}/feature/oauthkey/oauthkey.go#L36",
)
TWO_CREDENTIALS = Defect(
    name="two-credentials",
    severity=Severity.ERROR,
    why="containerboot refuses to start with an auth key beside another credential.",
    do="Keep one of TS_AUTHKEY and TS_CLIENT_ID, TS_CLIENT_SECRET, TS_ID_TOKEN, TS_AUDIENCE.",
    source=f"{CODE}/cmd/containerboot/settings.go#L300",
)
HOST_NETWORK = Defect(
    name="host-network",
    severity=Severity.ERROR,
    why="The pod has the node's network: it changes the node's routes and DNS, and two such pods on a node collide.",
    do="Remove hostNetwork.",
    source=f"{UPSTREAM}/11908",
)
NO_TUN = Defect(
    name="no-tun-device",
    severity=Severity.WARNING,
    why="Since runc 1.2 (containerd 1.7.24) NET_ADMIN alone does not open /dev/net/tun, which kernel networking needs.",
    do="Make the sidecar privileged, or give it the device by a device plugin, or use TS_USERSPACE=true.",
    source="https://github.com/kubernetes/kubernetes/issues/129157",
)
SANDBOX = Defect(
    name="runtime-conflict",
    severity=Severity.WARNING,
    why="gVisor was seen to refuse a tun device to any container, and kernel networking needs one.",
    do="Remove runtimeClassName, or use UserspaceNetworking().",
    source="https://github.com/google/gvisor/issues/11665",
)
EXIT_NODE = Defect(
    name="exit-node-in-use",
    severity=Severity.WARNING,
    why="All that is not routed otherwise goes to the exit node, the cluster's own addresses too.",
    do="Remove --exit-node, or keep the cluster's CIDRs out of it with cluster_cidrs.",
    source=f"{UPSTREAM}/7695",
)
UNGUARDED_ROUTES = Defect(
    name="routes-unguarded",
    severity=Severity.WARNING,
    why=(
        "As soon as any device of the tailnet advertises a route that covers the cluster's addresses, pods send what is "
        "for the cluster there: DNS, other pods and the API server are cut off."
    ),
    do="Remove --accept-routes, or keep the cluster's CIDRs out of it with cluster_cidrs.",
    source=GUIDE_TABLE,
)
SETTINGS_REFUSED = Defect(
    name="settings-refused",
    severity=Severity.ERROR,
    why="containerboot or `tailscale up` does not take this, and the sidecar never comes up.",
    do="Correct it, or remove it.",
    source=f"{CODE}/cmd/containerboot/settings.go#L246",
)
UNUSABLE_RELEASE = Defect(
    name="release-unusable",
    severity=Severity.ERROR,
    why="Releases before 1.94 know no OAuth client or workload identity, and 1.92.0 to 1.92.4 tie the state to one node.",
    do="Use a release from 1.94 on, such as v{newest}.",
    source=f"{UPSTREAM}/18302",
)
OLD_RELEASE = Defect(
    name="release-behind",
    severity=Severity.NOTE,
    why="It lacks fixes, and is the first thing that anybody asks about who is asked for help.",
    do="Upgrade to v{newest} or later; each pod restarts once.",
    source="https://tailscale.com/changelog",
)
FLOATING_IMAGE = Defect(
    name="image-not-pinned",
    severity=Severity.NOTE,
    why="A pod that moves to another node may come up with another release than its neighbours.",
    do="Pin a release, such as ghcr.io/tailscale/tailscale:v{newest}.",
    source="https://github.com/hollie/tailscale-caddy-proxy/issues/5",
)
METRICS_ON_TAILNET = Defect(
    name="metrics-on-tailnet",
    severity=Severity.NOTE,
    why="In kernel mode this address is on the tailnet too: who may reach the device's port can read its metrics.",
    do="Set TS_LOCAL_ADDR_PORT to $(POD_IP):{port}, with POD_IP from status.podIP.",
    source=f"{CODE}/cmd/k8s-operator/sts.go#L996",
)


def check(workload: KnownWorkload) -> Iterator[Finding]:
    """All that is wrong with one workload's template. What depends on something that is not known is left out."""
    for one in CHECKS:
        with suppress(UnknownError):
            yield from one(workload)


def check_together(workloads: Iterable[KnownWorkload]) -> Iterator[Finding]:
    """What is wrong between workloads: one fixed state Secret for two of them."""
    first: dict[tuple[str, str], Workload] = {}
    for workload in workloads:
        with suppress(UnknownError):
            if workload.state.kind == "secret" and not is_own(workload.state.name):
                other = first.setdefault((workload.namespace, workload.state.name), workload)
                if other is not workload:
                    yield SHARED_STATE.found(
                        workload.ref, f"It and {other.ref} use the state Secret {workload.state.name}."
                    )


def state(workload: Workload) -> Iterator[Finding]:
    """Where the identity is kept."""
    store = workload.state
    if store.kind in ("memory", "container"):
        kept = "nowhere" if store.kind == "memory" else "in the container's own file system"
        yield STATE_NOT_KEPT.found(workload.ref, f"The state is kept {kept}.")
    elif store.kind == "pod" and "ephemeral=true" not in workload.env.get("CREDENTIAL_ATTRIBUTES", ""):
        yield STATE_IN_POD.found(workload.ref, f"TS_STATE_DIR {workload.env['TS_STATE_DIR']} is in an emptyDir.")
    elif store.kind == "secret" and not is_own(store.name) and workload.replicas > 1:
        yield SHARED_STATE.found(
            workload.ref, f"All {workload.replicas} replicas use the state Secret {store.name or 'tailscale'}."
        )


def is_own(name: str) -> bool:
    """Whether a name differs from pod to pod."""
    return POD_NAME in name or POD_INDEX in name


def deployment(workload: Workload) -> Iterator[Finding]:
    """Kinds whose pods have no lasting names."""
    if workload.kind == "Deployment" and workload.state.kind == "secret" and is_own(workload.state.name):
        yield DEPLOYMENT.found(workload.ref, "A Deployment whose pods each keep their state in a Secret of their name.")


def probes(workload: Workload) -> Iterator[Finding]:
    """Probes that restart a container because the tailnet is away."""
    for container in workload.containers:
        name = container.get("name", "")
        for kind in ("livenessProbe", "startupProbe"):
            probe = container.get(kind) or {}
            target = asked_of_the_tailnet(container, kind, workload.health_ports)
            if kind == "startupProbe" and container is workload.sidecar:
                if target and patience(probe) < BOOT_SECONDS:
                    yield IMPATIENT_START.found(
                        workload.ref, f"The startupProbe of {name} waits {patience(probe)} s.", container=name
                    )
            elif target:
                yield LIVENESS_PROBE.found(workload.ref, f"The {kind} of {name} asks {target}.", container=name)
            elif probe and container is workload.sidecar:
                yield SIDECAR_LIVENESS_PROBE.found(workload.ref, f"{name} has a livenessProbe.", container=name)


def patience(probe: Json) -> int:
    """Seconds until a failing start-up probe restarts its container."""
    return int(probe.get("initialDelaySeconds", 0) + probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3))


def rollout(workload: Workload) -> Iterator[Finding]:
    """Registrations all at once."""
    policy = workload.manifest["spec"].get("podManagementPolicy")
    if policy == "Parallel" and workload.replicas > BURST_REPLICAS and "REGISTRATION_RATE" not in workload.env:
        yield PARALLEL.found(workload.ref, f"podManagementPolicy is Parallel, with {workload.replicas} replicas.")


def dns(workload: Workload) -> Iterator[Finding]:
    """A resolv.conf that is left broken by a crash."""
    if workload.is_kernel and workload.accepts_dns and workload.shares_resolv_conf:
        yield SHARED_RESOLV_CONF.found(
            workload.ref, "TS_ACCEPT_DNS is on, and the app reads the file that it rewrites."
        )


def credentials(workload: Workload) -> Iterator[Finding]:
    """How it logs in."""
    env = workload.env
    others = [name for name in ("TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE") if name in env]
    key = next((name for name in ("TS_AUTHKEY", "TS_AUTH_KEY") if name in env), None)
    if key and others:
        yield TWO_CREDENTIALS.found(workload.ref, f"{key} and {', '.join(others)} are set.")
    if workload.auth in ("OAuthClient", "WorkloadIdentity"):
        if not workload.tags:
            yield NO_TAGS.found(workload.ref, f"{workload.auth} without --advertise-tags.")
        lasting = workload.state.kind in ("secret", "volume")
        if lasting and not workload.is_component and not is_true(env.get("TS_AUTH_ONCE", "")):
            yield NEW_KEY_EACH_START.found(workload.ref, "TS_AUTH_ONCE is not set.")
        if lasting and workload.auth == "WorkloadIdentity" and re.fullmatch(r"[^?]+", env.get("TS_CLIENT_ID", "")):
            yield EPHEMERAL_IDENTITY.found(workload.ref, "TS_CLIENT_ID has no attributes.")


def settings(workload: Workload) -> Iterator[Finding]:
    """What containerboot and `tailscale up` refuse, by the rules of the component's own arguments."""
    checks: tuple[Callable[[], object], ...] = (
        lambda: rules.tags(tuple(dict.fromkeys(workload.tags))),
        lambda: rules.containerboot_env(workload.env, kernel=workload.is_kernel),
    )
    for one in checks:
        try:
            one()
        except ValueError as error:
            yield SETTINGS_REFUSED.found(workload.ref, f"{error}.")


def network(workload: Workload) -> Iterator[Finding]:
    """What kernel networking needs and does."""
    if not workload.is_kernel:
        return
    if workload.pod_spec.get("hostNetwork"):
        yield HOST_NETWORK.found(workload.ref, "hostNetwork is on.")
    if not (workload.is_privileged or workload.device_resources):
        yield NO_TUN.found(workload.ref, "The sidecar is neither privileged nor has it a device from a device plugin.")
    if workload.runtime_class in GVISOR:
        yield SANDBOX.found(workload.ref, f"runtimeClassName is {workload.runtime_class}.")
    exit_node = workload.flags.get("exit-node")
    if exit_node and not workload.guarded_cidrs:
        yield EXIT_NODE.found(workload.ref, f"--exit-node={exit_node}")
    if workload.accepts_routes and not workload.guarded_cidrs:
        yield UNGUARDED_ROUTES.found(
            workload.ref, "--accept-routes is on, and nothing keeps the cluster's addresses out."
        )
    listens = workload.env.get("TS_LOCAL_ADDR_PORT", "[::]:9002").rpartition(":")[0]
    if is_true(workload.env.get("TS_ENABLE_METRICS", "")) and listens in ("0.0.0.0", "[::]", ""):  # noqa: S104 - looked for, not bound
        yield METRICS_ON_TAILNET.found(
            workload.ref, f"/metrics listens on {listens or 'every address'}.", port=workload.health_ports[0]
        )


def version(workload: Workload) -> Iterator[Finding]:
    """The release of Tailscale."""
    newest = ".".join(map(str, DEFAULT_RELEASE))
    try:
        rules.tailscale_image(workload.image)
    except ValueError as error:
        yield UNUSABLE_RELEASE.found(workload.ref, f"Image {workload.image}: {error}.", newest=newest)
        return
    if "@" not in workload.image and workload.release is None:
        yield FLOATING_IMAGE.found(workload.ref, f"Image {workload.image} names no release.", newest=newest)
    elif workload.release is not None and workload.release[:2] < DEFAULT_RELEASE[:2]:
        yield OLD_RELEASE.found(workload.ref, f"Image {workload.image}; v{newest} is out.", newest=newest)


CHECKS = (state, deployment, probes, rollout, dns, credentials, settings, network, version)
