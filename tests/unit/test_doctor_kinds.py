"""`doctor` of other kinds than StatefulSets, into which `TailscaleSidecar` has put the sidecar."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tailscale_sidecar.inspection.gather import Scope
from tailscale_sidecar.report.findings import ExitStatus
from tests.support.api_server import Json
from tests.support.examples import EXAMPLES, rendered
from tests.support.site import NAMESPACE, Site, doctor, having_pods, state_secret


@dataclass(frozen=True)
class Kind:
    """A kind of workload, and how its pods are called and owned."""

    kind: str
    example: str
    word: str
    """What kubectl calls it."""
    maker: str
    """What owns its pods."""

    @property
    def name(self) -> str:
        return self.example.replace("_", "-")

    @property
    def maker_name(self) -> str:
        return {"Deployment": f"{self.name}-5d4f7b9c6", "CronJob": f"{self.name}-29400000"}.get(self.kind, self.name)


KINDS = [
    Kind("Deployment", "deployment", "deploy", "ReplicaSet"),
    Kind("DaemonSet", "daemon_set", "daemonset", "DaemonSet"),
    Kind("Job", "job", "job", "Job"),
    Kind("CronJob", "job", "cj", "Job"),
]
EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


@contextmanager
def site_of(kind: Kind, pods: int = 1) -> Iterator[Site]:
    """The example's workload with its pods, all on the tailnet."""
    objects = [{**found, "metadata": {**found["metadata"], "namespace": NAMESPACE}} for found in example(kind)]
    if kind.kind == "CronJob":
        (job,) = [found for found in objects if found["kind"] == "Job"]
        objects.remove(job)
        made = {**copy.deepcopy(job), "metadata": {"name": kind.maker_name, "namespace": NAMESPACE}}
        made["metadata"]["ownerReferences"] = [{"kind": "CronJob", "name": kind.name}]
        objects += [{**job, "kind": "CronJob", "spec": {"jobTemplate": {"spec": job["spec"]}}}, made]
    names = [f"{kind.maker_name}-x2k4{number}" for number in range(pods)]
    owner = {"kind": kind.maker, "name": kind.maker_name}
    with having_pods(objects, kind.kind, names, owner) as site:
        workload = site.get(kind.kind, kind.name)
        workload["status"] = {"desiredNumberScheduled": pods}
        if kind.kind == "Deployment":
            workload["spec"]["replicas"] = pods
        site.nameservers = (
            ["127.0.0.1"] if any(c["name"] == "tailscale-dns" for c in containers(site)) else ["10.96.0.10"]
        )
        yield site


def example(kind: Kind) -> list[Json]:
    return rendered(EXAMPLES[kind.example], show_secrets=True)


def containers(site: Site) -> list[Json]:
    (pod, *_) = [found for found in site.server.objects if found["kind"] == "Pod"]
    return [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]


def pods_of(site: Site) -> list[Json]:
    return [found for found in site.server.objects if found["kind"] == "Pod"]


def names(found: Json) -> set[str]:
    return {finding["name"] for finding in found["findings"]}


@EACH
def test_a_workload_that_is_well_has_no_finding_and_its_pods_are_shown_with_their_devices(
    kind: Kind, tmp_path: Path
) -> None:
    with site_of(kind, pods=2) as site:
        for words in ([f"{kind.word}/{kind.name}", "-n", NAMESPACE], [f"{NAMESPACE}/{kind.word}/{kind.name}"], []):
            status, found = doctor(site, tmp_path, "--strict", *words)
            assert (status, found["findings"]) == (ExitStatus.WELL, [])
            (workload,) = found["workloads"]
            assert (workload["kind"], workload["name"]) == (kind.kind, kind.name)
            assert [replica["online"] for replica in workload["replicas"]] == [True, True]


@EACH
def test_a_sidecar_that_cannot_log_in_is_told_of_whatever_its_kind(kind: Kind, tmp_path: Path) -> None:
    with site_of(kind) as site:
        (pod,) = pods_of(site)
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
        site.statuses[pod["metadata"]["name"]] = None
        site.server.logs[f"{pod['metadata']['name']}/tailscale"] = "tailscale-sidecar: login failed: API token invalid"
        status, found = doctor(site, tmp_path, f"{NAMESPACE}/{kind.word}/{kind.name}")
    assert (status, names(found)) == (ExitStatus.FINDINGS, {"credential-refused"})


@EACH
@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_shown_and_not_judged(kind: Kind, phase: str, tmp_path: Path) -> None:
    with site_of(kind) as site:
        (pod,) = pods_of(site)
        pod["status"].update(phase=phase, conditions=[{"type": "Ready", "status": "False", "reason": "PodCompleted"}])
        for status in (*pod["status"]["initContainerStatuses"], *pod["status"]["containerStatuses"]):
            status["state"] = {
                "terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-20T08:00:00Z"}
            }
        site.statuses.clear()
        _, found = doctor(site, tmp_path, f"{NAMESPACE}/{kind.word}/{kind.name}")
    assert found["findings"] == []
    assert [replica["status"] for replica in found["workloads"][0]["replicas"]] == [phase]


@EACH
@pytest.mark.parametrize(
    ("message", "name"),
    [
        ('pods "x-" is forbidden: violates PodSecurity "baseline:latest": privileged', "pod-security-forbids"),
        ('pods "x-" is forbidden: exceeded quota: q', "replica-missing"),
    ],
)
def test_why_pods_are_not_made_is_told_of_whatever_makes_them(
    kind: Kind, message: str, name: str, tmp_path: Path
) -> None:
    with site_of(kind) as site:
        site.server.objects.remove(pods_of(site)[0])
        maker = {"kind": kind.maker, "name": kind.maker_name, "namespace": NAMESPACE}
        site.add("Event", "e", type="Warning", reason="FailedCreate", message=message, involvedObject=maker)
        _, found = doctor(site, tmp_path, f"{NAMESPACE}/{kind.word}/{kind.name}")
    assert [(finding["name"], finding["object"]) for finding in found["findings"]] == [
        (name, f"{kind.kind} {NAMESPACE}/{kind.name}")
    ]


def test_a_job_that_is_through_misses_no_pod(tmp_path: Path) -> None:
    with site_of(KINDS[2]) as site:
        site.server.objects.remove(pods_of(site)[0])
        site.get("Job", "job")["status"] = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
        maker = {"kind": "Job", "name": "job", "namespace": NAMESPACE}
        site.add("Event", "e", type="Warning", reason="FailedCreate", message="quota", involvedObject=maker)
        assert doctor(site, tmp_path, f"{NAMESPACE}/job/job")[1]["findings"] == []


def test_kinds_that_may_not_be_listed_are_gaps_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    with site_of(KINDS[0]) as site:
        site.server.forbidden = {"DaemonSet", "CronJob"}
        status, found = doctor(site, tmp_path)
        assert [gap["what"] for gap in found["not_looked_at"]] == ["DaemonSets", "CronJobs"]
        assert (status, len(found["workloads"])) == (ExitStatus.WELL, 1)
        assert doctor(site, tmp_path, f"{NAMESPACE}/deployment")[1]["not_looked_at"] == []


def test_the_sidecar_of_another_is_the_components_own(tmp_path: Path) -> None:
    for kind in KINDS:
        with site_of(kind) as site:
            scope = Scope(namespace=NAMESPACE, kind=kind.kind, name=kind.name)
            assert [workload.is_component for workload in site.snapshot(tmp_path, scope).workloads] == [True]


def test_the_state_of_a_nodes_pod_is_looked_for_in_the_secret_of_its_node(tmp_path: Path) -> None:
    name = "node-identity"
    with site_of(Kind("DaemonSet", "node_identity", "ds", "DaemonSet")) as site:
        (pod,) = pods_of(site)
        pod["spec"] = {**pod["spec"], "nodeName": "node-1"}
        _, found = doctor(site, tmp_path, f"{NAMESPACE}/ds/{name}")
        assert [finding["what"] for finding in found["findings"]] == [f"Secret {name}-node-1 does not exist."]
        state_secret(site, f"{name}-node-1", 0)
        assert doctor(site, tmp_path, f"{NAMESPACE}/ds/{name}", "--strict")[1]["findings"] == []
