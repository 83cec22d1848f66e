"""Whatever arguments the models take, the API server takes what becomes of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tailscale_sidecar import TailscaleSidecarStatefulSet, TailscaleSidecarStatefulSetArgs
from tailscale_sidecar.render.render import plain, record
from tests.lab import Lab
from tests.support import strategies
from tests.support.api import Api
from tests.support.deployment import Workspace

OPTIONS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def api(lab: Lab) -> Api:
    return Api.of(lab)


@pytest.mark.wide
@given(name=strategies.component_names, arguments=strategies.arguments())
@settings(OPTIONS, max_examples=120, derandomize=True)
def test_kubernetes_takes_whatever_the_models_take(
    api: Api, workspace: Workspace, name: str, arguments: dict[str, Any]
) -> None:
    assert refusals(api, workspace.namespace, name, arguments) == []


@pytest.mark.soak
@given(name=strategies.component_names, arguments=strategies.arguments())
@settings(OPTIONS, max_examples=3000)
def test_kubernetes_takes_whatever_the_models_take_for_long(
    api: Api, workspace: Workspace, name: str, arguments: dict[str, Any]
) -> None:
    assert refusals(api, workspace.namespace, name, arguments) == []


def refusals(api: Api, namespace: str, name: str, arguments: dict[str, Any]) -> list[str]:
    args = TailscaleSidecarStatefulSetArgs(**arguments, namespace=namespace)
    found = record(lambda: TailscaleSidecarStatefulSet(name, args), namespace=namespace)
    objects = [plain(item, show_secrets=True) for item in found]
    (stateful_set,) = (item for item in objects if item["kind"] == "StatefulSet")
    return [why for item in (*objects, *made_by(stateful_set)) for why in api.refuses(item)]


def made_by(stateful_set: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects of the first replica, as the StatefulSet's controller makes them.

    The API server looks at little in a StatefulSet's pod template: most of what is wrong there fails only later, at each pod.
    """
    name, namespace = stateful_set["metadata"]["name"], stateful_set["metadata"]["namespace"]
    template = copy.deepcopy(stateful_set["spec"]["template"])
    labels = template["metadata"]["labels"] | {
        "apps.kubernetes.io/pod-index": "0",
        "controller-revision-hash": f"{name}-{'0' * 10}",
        "statefulset.kubernetes.io/pod-name": f"{name}-0",
    }
    spec = template["spec"] | {"serviceAccountName": "default", "hostname": f"{name}-0", "subdomain": name}
    claims = stateful_set["spec"].get("volumeClaimTemplates", ())
    for claim in claims:
        claimed = f"{claim['metadata']['name']}-{name}-0"
        metadata = {**claim["metadata"], "name": claimed, "namespace": namespace}
        yield {**claim, "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
        source = {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": claimed}}
        spec["volumes"] = [*spec.get("volumes", ()), source]
    metadata = {**template["metadata"], "labels": labels, "name": f"{name}-0", "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
