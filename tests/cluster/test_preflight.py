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
from tests.lab.tailnet_client import Tailnet
from tests.support.account import kubeconfig_for
from tests.support.deployment import RENDERER, Deployment, Workspace
from tests.support.examples import ROOT
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
        ("runtime-conflict", ["--runtime-class=gvisor"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_cluster_does_not_have_is_named(
    shared_workspace: Workspace, defect: str, arguments: list[str]
) -> None:
    assert names(preflight(shared_workspace, *arguments)) - OF_OTHER_TESTS == {defect}


def test_a_namespace_that_forbids_privileges_is_named(workspace: Workspace) -> None:
    workspace.kubectl("label", "namespace", workspace.namespace, "pod-security.kubernetes.io/enforce=baseline")
    assert names(preflight(workspace)) - OF_OTHER_TESTS == {"pod-security-forbids"}


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
