"""What `preflight` says of a cluster that is not for kernel networking: on one of its own, for it is the whole of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.lab import Lab, settings
from tests.support.deployment import Workspace
from tests.support.preflight import names, preflight

FARGATE = "eks.amazonaws.com/compute-type"


@contextmanager
def with_object(lab: Lab, found: dict[str, Any]) -> Iterator[None]:
    """An object more in the cluster."""
    lab.kubectl("create", "--filename=-", stdin=json.dumps(found))
    try:
        yield
    finally:
        lab.kubectl("delete", "--filename=-", stdin=json.dumps(found))


def cilium(lab: Lab) -> AbstractContextManager[None]:
    metadata = {"name": "cilium-config", "namespace": "kube-system"}
    return with_object(lab, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


def services_in_the_tailnets_range(lab: Lab) -> AbstractContextManager[None]:
    found = {"kind": "ServiceCIDR", "metadata": {"name": "more"}, "spec": {"cidrs": ["100.64.0.0/24"]}}
    return with_object(lab, {"apiVersion": "networking.k8s.io/v1", **found})


def an_old_node(lab: Lab) -> AbstractContextManager[None]:
    status = {"nodeInfo": {"kubeletVersion": "v1.28.9"}}
    return with_object(lab, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "old"}, "status": status})


@contextmanager
def fargate(lab: Lab) -> Iterator[None]:
    lab.kubectl("label", "node", settings.NODE, f"{FARGATE}=fargate")
    try:
        yield
    finally:
        lab.kubectl("label", "node", settings.NODE, f"{FARGATE}-")


PLANTED: dict[str, Callable[[Lab], AbstractContextManager[None]]] = {
    "cni-conflict": cilium,
    "cluster-in-tailnet-range": services_in_the_tailnets_range,
    "kubernetes-too-old": an_old_node,
    "privileged-pods-refused": fargate,
}


@pytest.mark.parametrize("defect", PLANTED)
def test_what_is_wrong_with_a_cluster_is_named(shared_workspace: Workspace, lab: Lab, defect: str) -> None:
    with PLANTED[defect](lab):
        assert names(preflight(shared_workspace)) == {defect}
    assert names(preflight(shared_workspace)) == set()
