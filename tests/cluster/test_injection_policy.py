"""`TailscaleSidecarInjection` on the lab: pods that others make are devices, and those without the label are not."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
import yaml

from tailscale_sidecar import InPodSplitDns, SecretState, TailscaleSidecarInjection, TailscaleSidecarInjectionArgs
from tailscale_sidecar.component.sidecar_injection import LABEL
from tailscale_sidecar.render.render import plain, record, render
from tests.lab import LabError
from tests.lab.images import APP_IMAGE
from tests.lab.shell import wait_for
from tests.support.deployment import APP, RENDERER, Deployment, Workspace
from tests.support.examples import PROGRAMS
from tests.support.sidecar import Sidecar, identity


def injection(workspace: Workspace, name: str, **changes: Any) -> None:
    """Deploys the component; waits until the API server knows its policy."""
    given = {**workspace.arguments(dns=InPodSplitDns(tailnet_domains=["lab.ts.net"])), **changes}
    del given["pod_spec"]
    args = TailscaleSidecarInjectionArgs(**given)
    found = RENDERER.submit(lambda: record(lambda: TailscaleSidecarInjection(name, args))).result()
    workspace.apply([plain(item, show_secrets=True) for item in found])
    await_policy(workspace, name)


def await_policy(workspace: Workspace, name: str) -> None:
    """Waits until the API server knows a policy: it looks for new ones now and then."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {LABEL: name}}}
    text = json.dumps({**pod, "spec": {"containers": [APP]}})

    def is_injected() -> bool:
        made = workspace.kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=text)
        return "initContainers" in json.loads(made)["spec"]

    wait_for("the policy", is_injected, 60)


def stateful_set(name: str, label: str) -> dict[str, Any]:
    """What an operator makes, say: its pods' names come again."""
    labels = {"app": name, LABEL: label}
    prepared = {"name": "prepared", "image": APP_IMAGE, "command": ["true"]}
    pod = {"containers": [APP], "initContainers": [prepared], "terminationGracePeriodSeconds": 5}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template, "serviceName": name}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}


def test_pods_with_the_label_are_devices_by_their_names_and_write_no_others_state(workspace: Workspace) -> None:
    name = f"operated-{secrets.token_hex(2)}"
    injection(workspace, name, state=SecretState(access="guarded"), service_account_name="default")
    workspace.apply([stateful_set(name, name), stateful_set(f"un{name}", "another")])
    app, other = (Deployment(workspace, found, {"replicas": 2}) for found in (name, f"un{name}"))
    app.await_ready()
    other.await_ready()
    assert [c["name"] for c in app.containers()] == ["tailscale-dns", "tailscale", "prepared", "app"]
    assert [c["name"] for c in other.containers()] == ["prepared", "app"]
    app.exec("resolve-musl", "kubernetes.default", f"{name}-1.lab.ts.net")

    devices = workspace.tailnet.devices(name)
    assert {(d.hostname, d.tags, d.ephemeral) for d in devices} == {
        (f"{name}-{ordinal}", ("tag:k8s",), False) for ordinal in range(2)
    }
    token = app.exec("cat", "/var/run/secrets/kubernetes.io/serviceaccount/token", container="tailscale")
    workspace.kubectl_as(token, "annotate", "secret", f"{name}-0", "mine=yes")
    with pytest.raises(LabError, match="named like its own pod"):
        workspace.kubectl_as(token, "annotate", "secret", f"{name}-1", "mine=no")

    first = identity(devices)
    Sidecar(app).crash()
    workspace.kubectl("delete", "pod", f"{name}-1", "--wait=true")
    app.await_ready()
    assert identity(workspace.tailnet.devices(name)) == first


def test_the_example_has_its_pods_injected(workspace: Workspace) -> None:
    config = {
        "namespace": workspace.namespace,
        "clientSecret": workspace.tailnet.oauth_client(tags=["tag:k8s"])[1],
        "loginServer": workspace.tailnet.url,
        "appImage": APP_IMAGE,
    }
    text = render(PROGRAMS["injection"], namespace=workspace.namespace, config=config, show_secrets=True)
    objects = list(yaml.safe_load_all(text))
    workspace.apply([found for found in objects if found["kind"] != "Deployment"])
    await_policy(workspace, "injection")
    workspace.apply([found for found in objects if found["kind"] == "Deployment"])
    workspace.kubectl("rollout", "status", "deployment/injected", "--timeout=120s")
    (pod,) = workspace.find_all("Pod", "app=injected")
    (device,) = workspace.tailnet.devices(pod["metadata"]["name"])
    assert (device.online, device.ephemeral, device.tags) == (True, True, ("tag:k8s",))
