"""`TailscaleSidecar` in a program: what it registers, which workload its transform changes, and what it says at the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment, StatefulSet
from pulumi_kubernetes.core.v1 import ConfigMap

from tailscale_sidecar import (
    OAuthClient,
    PersistentVolumeState,
    SecretState,
    TailscaleSidecar,
    TailscaleSidecarArgs,
)
from tailscale_sidecar.render.render import record
from tests.support.arguments import SECRET
from tests.support.examples import ROOT
from tests.support.mocked_engine import registered

APP: dict[str, Any] = {"name": "app", "image": "nginx:1.29"}
SPEC: Any = {"selector": {}, "template": {"spec": {"containers": [APP]}}}


def sidecar(name: str = "web", **changes: Any) -> TailscaleSidecar:
    least = {"kind": "Deployment", "workload": "web", "auth": OAuthClient(client_secret=SECRET), "tags": ["tag:k8s"]}
    return TailscaleSidecar(name, TailscaleSidecarArgs(**{**least, **changes}))


def workload(kind: Callable[..., object], name: str, *sidecars: TailscaleSidecar, **metadata: Any) -> None:
    labels = {"app": name}
    kind(
        f"{name}-in-pulumi",
        metadata={"name": name, **metadata},
        spec={
            "replicas": 1,
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [APP]}},
        },
        opts=pulumi.ResourceOptions(transforms=[one.transform for one in sidecars]),
    )


def pods_of(found: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (spec,) = [one["spec"] for one in found if one["kind"] == kind and one["metadata"]["name"] == name]
    pod: dict[str, Any] = spec["template"]["spec"]
    return pod


def test_only_the_workload_of_that_kind_and_name_is_changed() -> None:
    def program() -> None:
        one = sidecar()
        for kind, name in ((Deployment, "web"), (Deployment, "other"), (StatefulSet, "web")):
            workload(kind, name, one)

    found = record(program)
    assert [c["name"] for c in pods_of(found, "Deployment", "web")["initContainers"]] == ["tailscale-dns", "tailscale"]
    for kind, name in (("Deployment", "other"), ("StatefulSet", "web")):
        assert "initContainers" not in pods_of(found, kind, name)


def test_a_namespace_tells_workloads_of_one_name_apart() -> None:
    def program() -> None:
        one = sidecar(namespace="blue")
        workload(Deployment, "web", one, namespace="blue")
        Deployment("green", metadata={"name": "web", "namespace": "green"}, spec=SPEC, opts=of(one))

    blue, green = (found for found in record(program) if found["kind"] == "Deployment")
    if blue["metadata"]["namespace"] != "blue":
        blue, green = green, blue
    assert "initContainers" in blue["spec"]["template"]["spec"]
    assert "initContainers" not in green["spec"]["template"]["spec"]


def of(one: TailscaleSidecar) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(transforms=[one.transform])


@pytest.mark.parametrize("given", [True, False])
def test_a_program_whose_workload_was_not_found_fails_with_what_was_seen(given: bool) -> None:
    def program() -> None:
        one = sidecar(workload="wob")
        workload(Deployment, "web", *([one] if given else []))
        ConfigMap("no-workload", metadata={"name": "wob"}, opts=of(one))

    seen = "it saw Deployment web" if given else "it saw no workload at all"
    with pytest.raises(pulumi.RunError, match=f"TailscaleSidecar web: its transform found no Deployment wob; {seen}"):
        record(program)


def test_what_makes_pods_by_itself_is_named_with_the_way_out() -> None:
    def program() -> None:
        group: dict[str, Any] = {"api_version": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}}
        CustomResource("rollout", **group, opts=of(sidecar()))

    with pytest.raises(pulumi.RunError, match=r"it saw Rollout web\. Argo Rollouts makes its pods; .*workloadRef"):
        record(program)


def test_a_program_that_fails_by_itself_says_so_and_not_that_nothing_was_found() -> None:
    def program() -> None:
        sidecar()
        raise LookupError("the program's own")

    with pytest.raises(LookupError, match="the program's own"):
        record(program)


def test_two_workloads_are_one_too_many() -> None:
    def program() -> None:
        one = sidecar()
        workload(Deployment, "web", one, namespace="blue")
        Deployment("again", metadata={"name": "web", "namespace": "green"}, spec=SPEC, opts=of(one))

    with pytest.raises(
        Exception, match=r"Deployment web was found twice, as the resources .* and .*: give the transform"
    ):
        record(program)


def test_it_makes_what_the_sidecar_needs_and_nothing_for_the_workload() -> None:
    def program() -> None:
        sidecar(kind="StatefulSet", replicas=2, service_account_name="db", namespace="apps")

    found = {(r.kind, r.inputs["metadata"]["name"]) for r in registered(program) if "metadata" in r.inputs}
    assert found == {
        ("Role", "web-tailscale"),
        ("RoleBinding", "web-tailscale"),
        ("Secret", "web-tailscale-auth"),
        ("Secret", "web-0"),
        ("Secret", "web-1"),
    }
    (binding,) = [r for r in registered(program) if r.kind == "RoleBinding"]
    assert [(s["name"], s["namespace"]) for s in binding.inputs["subjects"]] == [("db", "apps")]


def test_the_claim_of_a_deployment_is_for_one_pod_at_a_time() -> None:
    found = {r.kind: r.inputs for r in registered(lambda: sidecar(state=PersistentVolumeState()))}
    assert found["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_guarded_state_has_its_policy_for_the_workloads_account() -> None:
    def program() -> None:
        sidecar(kind="StatefulSet", service_account_name="db", state=SecretState(access="guarded"))

    (policy,) = [r for r in registered(program) if r.kind == "ValidatingAdmissionPolicy"]
    assert "system:serviceaccount:default:db" in str(policy.inputs["spec"]["matchConditions"])


def test_more_workloads_are_rendered_than_there_are_threads_for_their_transforms() -> None:
    options = ("--config", "workloads=30", "--config", f"clientSecret={SECRET}")
    command = [sys.executable, "-m", "tailscale_sidecar", "render", "tests/bench/programs/injected", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.count("name: tailscale-token") >= 30
