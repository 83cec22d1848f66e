"""What is measured: the guide's manifest, and the component, by itself or in each DNS mode."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tailscale_sidecar import ClusterDns, InPodSplitDns, SplitDns
from tailscale_sidecar.choices.dns import Dns
from tests.bench.table import COMPONENT, GUIDE, Cell, Row, Rows, failure
from tests.lab import Lab, LabError, binaries, setup
from tests.lab.settings import FAMILIES
from tests.lab.shell import say, step, wait_for
from tests.lab.tailnet_client import Tailnet
from tests.support import pulumi_cli
from tests.support.deployment import Deployment, Workspace
from tests.support.guide import Guide
from tests.support.sidecar import Sidecar

T = TypeVar("T")

PACKAGES = ((("unbound",), "unbound"),)
"""What only the benchmarks use. Where there is systemd, Debian starts a service with it, which nothing here needs."""
START_SECONDS, STUCK_SECONDS, STUCK_STARTS = 120, 30, 3
"""What a start may take; after how long one of the guide's that is not done never will be; how often it is tried."""
SECONDS_MORE = 3
"""For each replica."""
CLUSTER_CIDRS = [*(cidr for family in FAMILIES for cidr in (family.pods, family.services)), "10.200.0.0/24"]


@dataclass(frozen=True)
class Subject:
    """One way to run a sidecar."""

    label: str
    kind: type[Deployment] = Deployment
    dns: Dns = field(default_factory=InPodSplitDns)
    """Of the component; the guide's manifest has `TS_ACCEPT_DNS=true`."""

    def in_workspace(self, workspace: Workspace, **arguments: Any) -> Deployment:
        """Such a deployment, not applied yet; all accept routes, as the guide does."""
        routes = {"accept_routes": True, "cluster_cidrs": CLUSTER_CIDRS}
        name = f"{self.label.lower().replace(' ', '-')}-{secrets.token_hex(2)}"
        return self.kind(workspace, name, workspace.arguments(**{"dns": self.dns, **routes, **arguments}))


MANIFEST = Subject(GUIDE, Guide)
EVERY_MODE = (
    MANIFEST,
    Subject("InPodSplitDns", dns=InPodSplitDns()),
    Subject("SplitDns", dns=SplitDns()),
    Subject("ClusterDns", dns=ClusterDns()),
)
DEFAULT = (MANIFEST, Subject(COMPONENT))
"""Where the DNS mode makes no difference."""


@dataclass
class Apps:
    """A deployment of each subject. A fault comes upon all of them at the same time."""

    workspace: Workspace
    apps: dict[str, Deployment]
    failed: dict[str, Cell] = field(default_factory=dict)
    """Those that could not be measured to the end, and why; the others go on without them."""

    def each(self, what: Callable[[Deployment], T], *, in_turn: bool = False) -> dict[str, T]:
        """Does something with each that has not failed so far."""
        with ThreadPoolExecutor(1 if in_turn else len(self.apps)) as pool:
            asked = {label: pool.submit(what, app) for label, app in self.apps.items() if label not in self.failed}
        found = {}
        for label, future in asked.items():
            try:
                found[label] = future.result()
            except Exception as error:  # noqa: BLE001 - whatever one subject fails of, the others are measured
                self.failed[label] = failure(error)
        return found

    def row(self, title: str, what: Callable[[Deployment], Cell], *, in_turn: bool = False) -> Row:
        """A row of what each says."""
        with step(title):
            return Row(title, self.each(what, in_turn=in_turn) | self.failed)

    def rows(self, title: str, what: Callable[[Deployment], dict[str, Cell]], *, in_turn: bool = False) -> Rows:
        """Rows of what each says by their titles."""
        with step(title):
            found = self.each(what, in_turn=in_turn)
        for one in dict.fromkeys(one for cells in found.values() for one in cells) or [title]:
            yield Row(one, {label: cells[one] for label, cells in found.items()} | self.failed)


@dataclass(frozen=True)
class Bench:
    """The lab on which all subjects are measured."""

    lab: Lab
    tailnet: Tailnet

    @staticmethod
    def start() -> Bench:
        """Starts it, with the guide's split DNS route and a global nameserver that knows nothing of the cluster."""
        lab = Lab.start()
        pulumi_cli.ensure()  # from the lab's network nothing can be downloaded
        setup.install_packages(PACKAGES)
        binaries.ensure_all((binaries.KWOK, binaries.HELM, binaries.REPLICAS))
        lab.enter()
        tailnet = Tailnet(lab.tailnet_url)
        tailnet.call("PUT", "/lab/dns", {"split": {"svc.cluster.local": ["10.96.0.10"]}, "nameservers": ["10.200.0.2"]})
        return Bench(lab, tailnet)

    def settle(self) -> None:
        """Takes away what a part has left behind, or a run that was killed: dead components, faults, pods."""
        for component, _, ready in self.lab.status():
            if not ready:
                self.lab.start_component(component)
        self.tailnet.call("DELETE", "/lab/faults")
        namespaces = self.lab.kubectl("get", "namespaces", "--output=name").split()
        left = [name for name in namespaces if name.startswith("namespace/test-")]
        if left:
            with step("the pods of the part before end"):
                self.lab.kubectl("delete", *left, "--ignore-not-found", "--timeout=180s")

    @contextmanager
    def apps(self, subjects: tuple[Subject, ...], **arguments: Any) -> Iterator[Apps]:
        """One of each subject in a namespace of their own, not applied yet."""
        with Workspace.temporary(self.lab, self.tailnet) as workspace:
            yield Apps(workspace, {s.label: s.in_workspace(workspace, **arguments) for s in subjects})

    @contextmanager
    def deployed(self, subjects: tuple[Subject, ...], **arguments: Any) -> Iterator[Apps]:
        """The same, with every replica on the tailnet."""
        with self.apps(subjects, **arguments) as apps:
            with step(f"deploying {', '.join(apps.apps)}"):
                apps.each(deploy)
            yield apps


def deploy(app: Deployment) -> None:
    """Applies the objects, and waits until every replica is up."""
    app.apply(wait=False)
    await_up(app)


def await_up(app: Deployment) -> None:
    """Waits until every replica is up."""
    if isinstance(app, Guide):
        await_guide(app)
    else:
        await_start(app, START_SECONDS + SECONDS_MORE * app.replicas)


def await_guide(app: Guide) -> None:
    """Waits until every replica of the guide's is up, and replaces those pods that never will be.

    tailscaled may take the resolv.conf over before containerboot has saved its state; on a busy machine it often does.
    """
    for _ in range(STUCK_STARTS):
        with suppress(LabError):
            return await_start(app, STUCK_SECONDS + SECONDS_MORE * app.replicas)
        say(f"! {app.name} is stuck in a start: its pods are replaced")
        app.workspace.kubectl("delete", "pod", *map(app.pod, range(app.replicas)), "--ignore-not-found")
    raise LabError(f"stuck in each of {STUCK_STARTS} starts, in which containerboot does not find the API server")


def restart(app: Deployment) -> None:
    """Replaces every pod, as a person would one that does not come back; waits until all are up."""
    app.delete_pods(*range(app.replicas))
    await_up(app)


def await_start(app: Deployment, seconds: float) -> None:
    """Waits until every replica is on the tailnet, and its containerboot is content."""
    wait_for(f"the replicas of {app.name} to be up", lambda: is_connected(app) and has_started(app), seconds)


def has_started(app: Deployment) -> bool:
    """Whether containerboot has done all that it does at a start, of every replica."""
    return all("Startup complete" in Sidecar(app, ordinal).logs() for ordinal in range(app.replicas))


def is_connected(app: Deployment) -> bool:
    """Whether every replica is on the tailnet."""
    return all(Sidecar(app, ordinal).is_connected() for ordinal in range(app.replicas))
