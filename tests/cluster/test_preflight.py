"""`preflight` on a real cluster and tailnet."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Literal

import pytest

from tailscale_sidecar import SecretState
from tailscale_sidecar.inspection.deployment_plan import KINDS, POLICIES, Plan
from tailscale_sidecar.inspection.deployment_target import needed
from tests.lab import settings
from tests.lab.shell import wait_for
from tests.lab.tailnet_client import Tailnet
from tests.support.account import kubeconfig_for
from tests.support.deployment import RENDERER, Deployment, Workspace
from tests.support.examples import ROOT
from tests.support.mutation import dropping_restart_policy
from tests.support.preflight import names, preflight

EVERYTHING = tuple(family.everything for family in settings.FAMILIES)
OF_OTHER_TESTS = {"route-overlap-latent", "exit-node-offered"}
"""What routers on the lab's tailnet bring about, which other tests have at the same time."""


@pytest.mark.parametrize(
    "arguments", [[], ["--dns=split"], ["--access=guarded"], ["--tun-device=devic.es/tun"]], ids=str
)
def test_the_lab_is_good_ground(shared_workspace: Workspace, arguments: list[str]) -> None:
    found = preflight(shared_workspace, "--tag=tag:k8s", "--strict", *arguments)
    assert (names(found) - OF_OTHER_TESTS, found["not_looked_at"], found["status"]) == (set(), [], 0)


def test_a_tag_that_the_policy_does_not_know_is_named(shared_workspace: Workspace) -> None:
    assert "tag-not-owned" not in names(preflight(shared_workspace, "--tag=tag:k8s"))
    assert "tag-not-owned" in names(preflight(shared_workspace, "--tag=tag:nobody"))


def test_it_finds_the_clusters_own_addresses(shared_workspace: Workspace) -> None:
    found = {(r["use"], r["cidr"]) for r in preflight(shared_workspace)["cluster"]["addresses"]}
    for family in settings.FAMILIES:
        assert ("service", family.services) in found
        assert {use for use, cidr in found if cidr.startswith(family.node)} == {"node"}
        assert {use for use, cidr in found if cidr.startswith(f"{family.dns}/")} == {"DNS"}


@pytest.mark.parametrize("family", settings.FAMILIES, ids=lambda family: f"IPv{family.version}")
def test_a_route_over_the_services_is_named_with_the_device_that_advertises_it(
    shared_workspace: Workspace, tailnet: Tailnet, family: settings.Family
) -> None:
    device = f"office-{secrets.token_hex(2)}"
    with tailnet.router(device, [family.services]):
        found = preflight(shared_workspace, "--accept-routes")
    overlaps = [f for f in found["findings"] if f["name"] == "route-overlap" and device in f["what"]]
    assert [family.services in finding["what"] for finding in overlaps] == [True]
    assert found["status"] == 1


@pytest.mark.parametrize(
    ("defect", "arguments"),
    [
        ("namespace-missing", ["--namespace=nowhere"]),
        ("tun-plugin-missing", ["--tun-device=devic.es/other"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_cluster_does_not_have_is_named(
    shared_workspace: Workspace, defect: str, arguments: list[str]
) -> None:
    assert names(preflight(shared_workspace, *arguments)) - OF_OTHER_TESTS == {defect}


def test_a_runtime_class_that_is_not_there_is_named_and_one_that_has_no_tun_device(shared_workspace: Workspace) -> None:
    found = names(preflight(shared_workspace, "--runtime-class=gvisor")) - OF_OTHER_TESTS
    assert found == {"runtime-conflict", "pod-refused"}


def test_a_namespace_that_forbids_privileges_is_named(workspace: Workspace) -> None:
    workspace.kubectl("label", "namespace", workspace.namespace, "pod-security.kubernetes.io/enforce=baseline")
    found = [one for one in preflight(workspace)["findings"] if one["name"] not in OF_OTHER_TESTS]
    assert [one["name"] for one in found] == ["pod-security-forbids"]
    assert 'violates PodSecurity "baseline:latest"' in found[0]["what"]
    assert names(preflight(workspace, "--networking=userspace")) - OF_OTHER_TESTS == set()


def test_a_restart_policy_that_would_be_dropped_on_the_way_in_is_named(workspace: Workspace) -> None:
    with dropping_restart_policy(workspace):
        assert names(preflight(workspace)) - OF_OTHER_TESTS == {"restart-policy-stripped"}


LIMITS = {"limits.cpu": "4", "limits.memory": "4Gi", "requests.cpu": "4", "requests.memory": "4Gi"}
DATABASE = """
from tailscale_sidecar import *
own = {{"requests": {{"cpu": "100m", "memory": "128Mi"}}, "limits": {{"cpu": "100m", "memory": "128Mi"}}}}
app = {{"name": "app", "image": "postgres:17", "resources": {{"limits": {{"cpu": "1", "memory": "1Gi"}}}}}}
TailscaleSidecarStatefulSet("db", TailscaleSidecarStatefulSetArgs(
    pod_spec={{"containers": [app]}}, auth=OAuthClient(existing_secret="ts"), tags=["tag:k8s"],
    resources=own, replicas={replicas}, dns_resources={resolver},
))
"""


@pytest.mark.parametrize(
    ("resolver", "replicas", "expected"),
    [
        ("None", 1, {"failed quota: q: must specify limits.cpu for: tailscale-dns; limits.memory for: tailscale-dns"}),
        ("own", 1, set()),
        ("own", 4, {"ResourceQuota q has 4 of limits.cpu left, and 4 more replicas ask for 4800m.",
                    "ResourceQuota q has 4Gi of limits.memory left, and 4 more replicas ask for 5Gi.",
                    "ResourceQuota q has 4 of requests.cpu left, and 4 more replicas ask for 4800m.",
                    "ResourceQuota q has 4Gi of requests.memory left, and 4 more replicas ask for 5Gi."}),
    ],
    ids=["the resolver has no limits", "it has", "more replicas than there is room for"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:StatefulSet db. guaranteed-becomes-burstable")
def test_a_quota_counts_the_sidecars_containers(
    workspace: Workspace, tmp_path: Path, resolver: str, replicas: int, expected: set[str]
) -> None:
    hard = ",".join(f"{name}={value}" for name, value in LIMITS.items())
    workspace.kubectl("create", "quota", "q", f"--hard={hard}")
    workspace.kubectl("wait", "quota/q", "--for=jsonpath={.status.hard}", "--timeout=60s")
    program = tmp_path / "program.py"
    program.write_text(DATABASE.format(resolver=resolver, replicas=replicas), encoding="utf-8")
    found = RENDERER.submit(preflight, workspace, str(program)).result()
    told = {one["what"] for one in found["findings"] if one["name"] == "resource-quota-too-small"}
    assert {one["name"] for one in found["findings"]} - OF_OTHER_TESTS <= {"resource-quota-too-small"}
    assert {what.partition("is forbidden: ")[2] or what for what in told} == expected


def test_bounds_of_a_limit_range_are_those_of_the_sidecars_containers_too(workspace: Workspace) -> None:
    bounds = {"type": "Container", "min": {"memory": "128Mi"}}
    metadata = {"name": "bounds", "namespace": workspace.namespace}
    workspace.apply([{"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [bounds]}}])

    def told() -> list[str]:
        return [one["what"] for one in preflight(workspace)["findings"] if one["name"] == "limit-range-forbids"]

    wait_for("the bounds, which the API server reads from a cache,", lambda: bool(told()))
    assert "minimum memory usage per Container is 128Mi, but request is " in told()[0]


def test_the_api_server_keeps_the_pods_user_namespace(shared_workspace: Workspace) -> None:
    assert names(preflight(shared_workspace, "--user-namespace")) - OF_OTHER_TESTS == set()


@pytest.mark.parametrize(
    ("account", "why"),
    [("deployer", "you may not create pods there"), (None, "its namespace is not there yet")],
    ids=["somebody who may make workloads and no pods", "a namespace that is not there"],
)
def test_a_pod_that_cannot_be_asked_for_is_not_checked(
    shared_workspace: Workspace, tmp_path: Path, account: str | None, why: str
) -> None:
    if account:
        read = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
        found = preflight(shared_workspace, f"--kubeconfig={kubeconfig_for(shared_workspace, account, read, tmp_path)}")
    else:
        found = preflight(shared_workspace, "--namespace=nowhere")
    assert f"not checked: {why}" in [gap["why"] for gap in found["not_looked_at"]]
    assert "pod-refused" not in names(found)


def test_a_name_that_a_device_has_already_is_named(shared_workspace: Workspace, tailnet: Tailnet) -> None:
    name = f"app-{secrets.token_hex(2)}"
    with tailnet.router(f"{name}-2", []):
        found = preflight(shared_workspace, f"--name={name}", "--replicas=3")
    assert names(found) - OF_OTHER_TESTS == {"device-name-taken"}


@pytest.mark.parametrize(
    ("defect", "routes"),
    [("route-overlap-latent", [settings.IPV4.services]), ("exit-node-offered", list(EVERYTHING))],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_device_offers_to_pods_that_do_not_take_it_is_named_with_the_device(
    shared_workspace: Workspace, tailnet: Tailnet, defect: str, routes: list[str]
) -> None:
    device = f"office-{secrets.token_hex(2)}"
    with tailnet.router(device, routes):
        found = preflight(shared_workspace)
    assert {f["name"] for f in found["findings"] if device in f["what"]} == {defect}


def test_a_program_that_keeps_a_route_out_is_told_what_its_pods_cannot_reach(
    shared_workspace: Workspace, tailnet: Tailnet
) -> None:
    device = f"office-{secrets.token_hex(2)}"
    config = ("clientSecret=tskey-client-none", 'clusterCidrs=["10.244.0.0/16","10.96.0.0/16","10.200.0.0/24"]')
    words = [word for setting in config for word in ("--config", setting)]
    with tailnet.router(device, ["10.96.128.0/17"]):
        program = str(ROOT / "examples/accept_routes")
        found = RENDERER.submit(preflight, shared_workspace, program, *words).result()
    assert {f["name"] for f in found["findings"] if device in f["what"]} == {"route-overlap-guarded"}


def test_somebody_with_too_few_rights_is_told_what_is_missing(shared_workspace: Workspace, tmp_path: Path) -> None:
    read = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    config = kubeconfig_for(shared_workspace, "reader", read, tmp_path)
    found = preflight(shared_workspace, f"--kubeconfig={config}")
    (finding,) = [f for f in found["findings"] if f["name"] == "deployer-not-allowed"]
    assert "create statefulsets" in finding["what"]
    assert "get statefulsets" not in finding["what"]


@pytest.mark.parametrize("access", ["scoped", "guarded", "open"])
def test_the_rights_that_it_asks_for_are_enough_to_deploy_and_destroy(
    shared_workspace: Workspace, tmp_path: Path, access: Literal["scoped", "guarded", "open"]
) -> None:
    kinds = (*KINDS, *(POLICIES if access == "guarded" else ()))
    rules = [{"verbs": [v], "apiGroups": [g], "resources": [r]} for v, g, r in sorted(needed(Plan(kinds=kinds)))]
    config = kubeconfig_for(shared_workspace, f"deployer-{access}", rules, tmp_path)
    found = preflight(shared_workspace, f"--kubeconfig={config}", f"--access={access}")
    assert "deployer-not-allowed" not in names(found)
    arguments = shared_workspace.arguments(state=SecretState(access=access), replicas=0)
    app = Deployment(shared_workspace, f"app-{secrets.token_hex(2)}", arguments)
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": app.objects})
    for verb in (("apply", "--server-side"), ("delete", "--wait=false")):
        shared_workspace.kubectl(*verb, "--filename=-", f"--kubeconfig={config}", stdin=everything)
