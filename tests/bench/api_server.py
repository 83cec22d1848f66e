"""What a roll-out costs the API server and etcd, for 10, 100 and 1,000 replicas on simulated kubelets."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

from typing_extensions import override

from tailscale_sidecar import ClusterDns, SecretState
from tests.lab.shell import step, wait_for
from tests.lab.simulated_nodes import PLACEMENT, ROOM, simulated_nodes
from tests.support.api import Api
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.guide import Guide
from tests.support.subjects import MANIFEST, Bench, Subject

from .table import GUIDE, Cell, Row, Rows

REPLICAS = (10, 100, 1000)
NODES = 1 + max(REPLICAS) // int(ROOM["pods"])


class GuideWithService(Guide):
    """With the headless Service that its StatefulSet names and that it leaves to its reader."""

    @property
    @override
    def objects(self) -> list[dict[str, Any]]:
        spec = {"clusterIP": "None", "selector": {"app": self.name}}
        return [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": self.name}, "spec": spec},
            *super().objects,
        ]


SUBJECTS: dict[str, tuple[Subject, dict[str, Any]]] = {
    GUIDE: (MANIFEST, {}),
    f"{GUIDE}, with its Service": (Subject(GUIDE, GuideWithService), {}),
    **{access: (Subject("component"), {"state": SecretState(access=access)}) for access in ("scoped", "guarded")},
}
POD = {"containers": [APP], **PLACEMENT}
BACKGROUND = ("leases?", "nodes?", "subjectaccessreviews", "tokenreviews")
"""What goes on without a roll-out."""
GROWTH = 1.1
"""The most that a replica of many may cost, beside one of a few."""
ENDPOINTS = r'(resource|kind)="endpoints"'
ETCD = "http://127.0.0.1:2379/metrics"


class Traffic(NamedTuple):
    """What was counted; all of it grows. The Service's Endpoints object, which Kubernetes writes anew for each few addresses
    that come, up to 1,000, is apart."""

    objects: float
    """Keys in etcd."""
    requests: float
    """To the API server, but for those that wait for the roll-out."""
    written: float
    """KiB put into etcd."""
    watched: float
    """KiB that the API server sent to those that watch, once for each kind of object and not for each watcher."""
    endpoints_written: float
    endpoints_watched: float

    def since(self, before: Traffic) -> Traffic:
        """What came after an earlier count."""
        return Traffic(*(now - then for now, then in zip(self, before, strict=True)))


def api_server(bench: Bench) -> Rows:
    """The guide's manifest and the component, one after the other."""
    seen: dict[str, dict[int, Traffic]] = {label: {} for label in SUBJECTS}
    with simulated_nodes(bench.lab, NODES):
        for replicas in REPLICAS:
            for label, (subject, choices) in SUBJECTS.items():
                with step(f"{replicas} replicas on simulated kubelets, {label}"):
                    seen[label][replicas] = rolled_out(bench, subject, replicas, **choices)
    yield row("objects in etcd", seen, lambda one: one.objects)
    yield row("requests", seen, lambda one: one.requests)
    yield row("KiB of changes watched", seen, lambda one: one.watched)
    yield row("KiB written to etcd", seen, lambda one: one.written)
    yield row("KiB of changes watched of the Endpoints object", seen, lambda one: one.endpoints_watched, most=inf)
    yield row("KiB written to etcd of the Endpoints object", seen, lambda one: one.endpoints_written, most=inf)


def row(
    what: str, seen: dict[str, dict[int, Traffic]], figure: Callable[[Traffic], float], most: float = GROWTH
) -> Row:
    """A row of one figure, for each replica; it misses where a replica of more costs more."""

    def cell(found: dict[int, Traffic]) -> Cell:
        each = [figure(traffic) / replicas for replicas, traffic in found.items()]
        holds = all(more <= most * fewer for fewer, more in pairwise(each))
        return Cell(" / ".join(f"{one:.1f}" for one in each), holds)

    return Row(f"{what} a replica", {label: cell(found) for label, found in seen.items()})


def rolled_out(bench: Bench, subject: Subject, replicas: int, **choices: Any) -> Traffic:
    """What it took until all pods were ready."""
    with empty_workspace(bench) as workspace:
        burst = {"pod_management_policy": "Parallel", "allow_registration_burst": True}
        app = subject.in_workspace(workspace, dns=ClusterDns(), pod_spec=POD, replicas=replicas, **burst, **choices)
        objects = app.objects
        before = counted(bench)
        create(workspace, objects)
        wait_for(f"{replicas} ready pods", partial(is_rolled_out, app), 900)
        return counted(bench).since(before)


@contextmanager
def empty_workspace(bench: Bench) -> Iterator[Workspace]:
    """A namespace that is gone afterwards, so that its end is not counted as what comes next."""
    with Workspace.temporary(bench.lab, bench.tailnet) as workspace:
        yield workspace
    gone = partial(Api.of(bench.lab).is_gone, "Namespace", workspace.namespace)
    wait_for(f"the end of {workspace.namespace}", gone, 600)


def create(workspace: Workspace, objects: list[dict[str, Any]]) -> None:
    """Creates each object by one request, the StatefulSet last."""
    api = Api.of(workspace.lab)
    for found in objects:
        if not found["kind"].startswith("ValidatingAdmissionPolicy"):  # those belong to no namespace
            found["metadata"].setdefault("namespace", workspace.namespace)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(api.create, objects[:-1]))
    api.create(objects[-1])


def is_rolled_out(app: Deployment) -> bool:
    """Whether all pods are ready; the one request by which this part waits."""
    status = app.workspace.get("StatefulSet", app.name).get("status", {})
    return int(status.get("readyReplicas", 0)) == app.replicas


def counted(bench: Bench) -> Traffic:
    """What API server and etcd have counted so far."""
    served = Api.of(bench.lab).metrics()
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(ETCD, timeout=10) as answer:
        stored = answer.read().decode()
    waiting = total(served, "apiserver_request_total", r'resource="statefulsets".*verb="GET"')
    endpoints_written = total(served, "apiserver_request_body_size_bytes_sum", ENDPOINTS) / 1024
    endpoints_watched = total(served, "apiserver_watch_events_sizes_sum", ENDPOINTS) / 1024
    return Traffic(
        objects=total(stored, "etcd_debugging_mvcc_keys_total"),
        requests=total(served, "apiserver_request_total") - waiting,
        written=total(stored, "etcd_debugging_mvcc_total_put_size_in_bytes") / 1024 - endpoints_written,
        watched=total(served, "apiserver_watch_events_sizes_sum") / 1024 - endpoints_watched,
        endpoints_written=endpoints_written,
        endpoints_watched=endpoints_watched,
    )


def total(metrics: str, name: str, labels: str = "") -> float:
    """The sum of a metric's series with such labels, without what goes on in the background."""
    background = re.compile(f'(resource|kind)="({"|".join(BACKGROUND)})"', re.IGNORECASE)
    lines = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", metrics, re.MULTILINE)
    return sum(float(value) for found, value in lines if re.search(labels, found) and not background.search(found))
