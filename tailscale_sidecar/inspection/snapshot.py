"""What `doctor` looked at, all at one time: the checks are functions of it and need no cluster."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from ..devices.state_secret import StateSecret
from ..pod.contract import INIT, QUAD100
from ..pod.objects import Json
from ..report.findings import Gap
from .cidrs import Range
from .overlaps import Overlap, overlaps
from .tailnet import Device, Tailnet
from .workload import Workload


@dataclass(frozen=True, kw_only=True)
class Termination:
    """How a container ended last."""

    at: datetime
    reason: str
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What may be known of a credential in a Secret: its kind, and the attributes that follow it."""

    secret: str
    key: str
    exists: bool
    kind: str = ""
    """Its public prefix, such as `tskey-client`."""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """A name that was looked up from inside a pod."""

    name: str
    nameserver: str
    works: bool


@dataclass(frozen=True, kw_only=True)
class Inside:
    """What commands in the sidecar's container showed."""

    status: Json | None = None
    """`tailscale status --json`; None if tailscaled does not answer."""
    dns: Json | None = None
    """`tailscale dns status --json`."""
    resolv_conf: str = ""
    """What the app reads, as far as it can be seen from the sidecar."""
    look_ups: tuple[LookUp, ...] = ()
    counts: Mapping[str, int] | None = None
    """What the sidecar counted for `monitoring`, as its metrics name it; None without `monitoring`."""

    @property
    def is_connected(self) -> bool:
        """Whether tailscaled runs, with a connection to the control plane.

        It says "Running" without one too: in an outage, and for good once its device was deleted. `Online` is about that
        connection (tailscale.com@v1.102.5 ipn/ipnlocal/local.go, `GetInPollNetMap`).
        """
        status = self.status or {}
        return status.get("BackendState") == "Running" and bool((status.get("Self") or {}).get("Online"))


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One replica of a workload: its pod, its state, its device. Each of them may be missing."""

    workload: Workload
    name: str
    """Of its pod."""
    pod: Json | None = None
    state: StateSecret | None = None
    device: Device | None = None
    inside: Inside | None = None
    log: str = ""
    """The end of the sidecar's log."""
    previous_log: str = ""
    """The end of the log before the last restart."""

    @property
    def ref(self) -> str:
        """How findings name it."""
        return f"Pod {self.workload.namespace}/{self.name}"

    @property
    def state_secret(self) -> str:
        """Name of its state Secret; nothing where the state is elsewhere, or the Secret that of a node not known yet."""
        return self.workload.state_secret(self.name, self.node)

    @property
    def hostname(self) -> str:
        """The name that its device asks for."""
        return self.workload.hostname(self.name, self.node)

    @property
    def status(self) -> Json:
        """The pod's status."""
        found: Json = (self.pod or {}).get("status") or {}
        return found

    @property
    def container_statuses(self) -> list[Json]:
        """Those of all its containers."""
        return [*(self.status.get("initContainerStatuses") or ()), *(self.status.get("containerStatuses") or ())]

    @property
    def sidecar_status(self) -> Json:
        """That of the tailscale container; empty before the kubelet has seen the pod."""
        name = self.workload.sidecar["name"]
        return next((status for status in self.container_statuses if status["name"] == name), {})

    @property
    def is_ready(self) -> bool:
        """Whether the pod says so."""
        return self.condition("Ready").get("status") == "True"

    def condition(self, kind: str) -> Json:
        """A condition of the pod; empty if it has none of that type."""
        return next((c for c in self.status.get("conditions") or () if c["type"] == kind), {})

    @property
    def init_containers(self) -> list[Json]:
        """Those that the pod has, which are not always those of the template."""
        return list(((self.pod or {}).get("spec") or {}).get("initContainers") or ())

    @property
    def node(self) -> str:
        """Name of its node; nothing before one was chosen."""
        return str(((self.pod or {}).get("spec") or {}).get("nodeName") or "")

    @property
    def is_missing(self) -> bool:
        """Whether there is no pod."""
        return self.pod is None

    @property
    def is_ending(self) -> bool:
        """Whether the pod is being deleted."""
        return "deletionTimestamp" in (self.pod or {}).get("metadata", {})

    @property
    def has_ended(self) -> bool:
        """Whether all its containers have, and it stays so: a Job's pod that is through, or one that was evicted."""
        return self.status.get("phase") in ("Succeeded", "Failed")

    @property
    def restarts(self) -> int:
        """Of the sidecar."""
        return int(self.sidecar_status.get("restartCount", 0))

    @property
    def waiting(self) -> tuple[str, str, str] | None:
        """Container, reason and message of the first container that waits for something to be put right."""
        for status in self.container_statuses:
            waiting = (status.get("state") or {}).get("waiting")
            if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating", None):
                return status["name"], waiting["reason"], waiting.get("message", "")
        return None

    @property
    def troubled_container(self) -> str:
        """The container whose log says most: the one that waits for something, else the sidecar."""
        own = {str(self.workload.sidecar["name"]), INIT}
        waiting = self.waiting[0] if self.waiting else ""
        return waiting if waiting in own else str(self.workload.sidecar["name"])

    @property
    def last_words(self) -> list[str]:
        """What containers of the pod left as their termination messages."""
        ended = [status.get("lastState", {}).get("terminated") for status in self.container_statuses]
        ended += [(status.get("state") or {}).get("terminated") for status in self.container_statuses]
        return [found["message"] for found in ended if found and found.get("message") and found.get("exitCode")]

    @property
    def last_termination(self) -> Termination | None:
        """Of the sidecar's container."""
        found = (self.sidecar_status.get("lastState") or {}).get("terminated")
        if not found or not found.get("finishedAt"):
            return None
        return Termination(
            at=datetime.fromisoformat(found["finishedAt"]),
            reason=found.get("reason", ""),
            exit_code=int(found.get("exitCode", 0)),
        )

    @property
    def phase(self) -> str:
        """What `kubectl get pods` would say, more or less."""
        if self.pod is None:
            return "missing"
        if self.is_ending:
            return "Terminating"
        if self.waiting is not None:
            return self.waiting[1]
        phase = str(self.status.get("phase", "Pending"))
        return "not ready" if phase == "Running" and not self.is_ready else phase

    @property
    def addresses(self) -> list[str]:
        """Of the pod."""
        return [found["ip"] for found in self.status.get("podIPs") or ()]

    @property
    def host_addresses(self) -> list[str]:
        """Of its node."""
        return [found["ip"] for found in self.status.get("hostIPs") or ()]

    @property
    def nameservers(self) -> list[str]:
        """Those that the app asks, where they were seen."""
        lines = (line.split() for line in (self.inside.resolv_conf if self.inside else "").splitlines())
        return [words[1] for words in lines if words[:1] == ["nameserver"] and len(words) > 1]

    @property
    def is_stuck(self) -> bool:
        """Whether tailscaled is gone while the resolv.conf that it left behind still names it, for all of the pod."""
        return (
            self.inside is not None
            and self.inside.status is None
            and self.restarts > 0
            and self.workload.shares_resolv_conf
            and self.nameservers[:1] == [QUAD100]
        )


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that was looked at."""

    now: datetime
    workloads: tuple[Workload, ...] = ()
    replicas: tuple[Replica, ...] = ()
    credentials: Mapping[str, tuple[Credential, ...]] = field(default_factory=dict)
    """The credentials that each workload refers to, by the workload's `ref`."""
    secrets: Mapping[str, Mapping[str, StateSecret]] = field(default_factory=dict)
    """What may be a state Secret, by namespace and name; a namespace whose Secrets could not be listed is not in it."""
    events: tuple[Json, ...] = ()
    """Warnings, the newest last."""
    roles: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """By namespace; one whose Roles could not be listed is not in it."""
    role_bindings: tuple[Json, ...] = ()
    ranges: tuple[Range, ...] = ()
    """The cluster's addresses."""
    cluster_domain: str = "cluster.local"
    tailnet: Tailnet | None = None
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def overlaps(self) -> list[Overlap]:
        """Routes of the tailnet that cover addresses of the cluster."""
        return overlaps(self.tailnet, self.ranges) if self.tailnet else []

    @cached_property
    def devices_in_use(self) -> frozenset[str]:
        """IDs of the devices that replicas have."""
        devices = {replica.device.id for replica in self.replicas if replica.device}
        return frozenset(devices | {replica.state.device_id for replica in self.replicas if replica.state})

    def of(self, workload: Workload) -> list[Replica]:
        """The replicas of one workload."""
        return [replica for replica in self.replicas if replica.workload is workload]

    def secrets_known(self, namespace: str) -> bool:
        """Whether the Secrets of a namespace could be listed."""
        return namespace in self.secrets

    def events_of(self, kind: str, name: str, namespace: str) -> list[Json]:
        """The warnings about one object, the newest last."""
        wanted = {"kind": kind, "name": name, "namespace": namespace}
        return [event for event in self.events if wanted.items() <= event["involvedObject"].items()]

    def known_ranges(self, use: str) -> list[str]:
        """The cluster's addresses that are used for one thing."""
        return [found.cidr for found in self.ranges if found.use == use]


def guards(replica: Replica) -> list[str]:
    """What the component's rules keep in the cluster for this replica (scripts/prepare.sh); nothing if made by hand."""
    workload = replica.workload
    if not workload.is_component or not workload.is_kernel:
        return []
    own = [*replica.host_addresses, *replica.addresses]
    return [*workload.guarded_cidrs, *(str(ipaddress.ip_network(address)) for address in own)]
