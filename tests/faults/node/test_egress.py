"""A cluster whose network enforces NetworkPolicies, and a namespace that lets nothing out."""

from __future__ import annotations

import json

import pytest

from tailscale_sidecar import EgressPolicy
from tests.lab import LabError
from tests.lab.settings import DISKS, UPSTREAM_DNS
from tests.support.deployment import Workspace
from tests.support.look_ups import CLUSTER_NAME
from tests.support.sidecar import Sidecar

NOTHING = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "nothing"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
}
ELSEWHERE = f"http://{UPSTREAM_DNS}:8181/ready"
"""An address that no sidecar needs."""


@pytest.mark.usefixtures("network_policies")
def test_a_replica_gets_out_to_what_it_needs_and_nowhere_else(workspace: Workspace) -> None:
    workspace.kubectl("create", "--filename=-", stdin=json.dumps(NOTHING))
    shut = workspace.deploy("shut", wait=False)
    relay = {"ports": [{"port": json.loads((DISKS / "tailnet/state.json").read_text())["DERPPort"]}]}
    app = workspace.deploy("app", replicas=2, egress_policy=EgressPolicy(allow=[relay]))
    peer = f"http://{app.device(1).fqdn}/"
    assert app.pod(1) in app.exec("fetch", "-timeout=10s", peer)
    with pytest.raises(LabError):
        app.exec("fetch", "-timeout=3s", ELSEWHERE)
    Sidecar(app).crash()
    assert app.pod(1) in app.exec("fetch", "-timeout=10s", peer)
    assert app.exec("getent", "hosts", CLUSTER_NAME)
    assert Sidecar(shut).status()["started"] is False, "the policy without which it gets nowhere is in force"
    shut.change(egress_policy=EgressPolicy(allow=[relay, {"ports": [{"port": 8181}]}]))
    assert "OK" in shut.exec("fetch", "-timeout=10s", ELSEWHERE)
