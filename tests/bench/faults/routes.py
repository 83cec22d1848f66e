"""The tailnet has a route to the cluster's own addresses, or the cluster has an address of the tailnet's."""

from __future__ import annotations

from typing import Any

from tests.bench.recovery import PATIENCE
from tests.bench.table import Cell, Rows
from tests.lab import LabError
from tests.lab.settings import BRIDGE
from tests.lab.shell import wait_for
from tests.support.deployment import APP, Deployment, Workspace
from tests.support.sidecar import Sidecar
from tests.support.state import saved
from tests.support.subjects import CLUSTER_CIDRS, DEFAULT, Bench, deploy, is_connected

from .names import CLUSTER_NAME

OTHER = "10.99.0.0/16"
ADVERTISED = [*CLUSTER_CIDRS, OTHER]
OF_THE_TAILNET = "100.127.200.1"
PODS_OF_THE_TAILNET = "100.80.0.0/24"
KUBELET_PORT = "10250"
BYSTANDER: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "bystander"},
    "spec": {"containers": [APP], "terminationGracePeriodSeconds": 0},
}


def routes(bench: Bench) -> Rows:
    """Another device advertises the pod, service and node CIDRs, and one more."""
    with bench.deployed(DEFAULT) as apps, bench.tailnet.router("overlap", ADVERTISED):
        deploy_bystander(apps.workspace)
        yield apps.row("the cluster's CIDRs advertised by another device, while the pod runs", reached)
    with bench.apps(DEFAULT) as apps, bench.tailnet.router("overlap", ADVERTISED):
        deploy_bystander(apps.workspace)
        apps.each(lambda app: app.apply(wait=False))
        yield apps.row("the cluster's CIDRs advertised by another device, before the pod starts", reached)
    with bench.apps(DEFAULT, cluster_cidrs=[*CLUSTER_CIDRS, f"{OF_THE_TAILNET}/32"]) as apps:
        bench.lab.on_node("ip", "address", "add", f"{OF_THE_TAILNET}/32", "dev", BRIDGE)
        try:
            yield apps.row("a node with an address inside 100.64.0.0/10", reaches_the_node)
        finally:
            bench.lab.on_node("ip", "address", "delete", f"{OF_THE_TAILNET}/32", "dev", BRIDGE)
    with bench.apps(DEFAULT) as apps, bench.lab.other_pod_network(PODS_OF_THE_TAILNET):
        deploy_bystander(apps.workspace)
        apps.each(lambda app: app.apply(wait=False))
        yield apps.row("a pod CIDR inside 100.64.0.0/10", is_reached)


def deploy_bystander(workspace: Workspace) -> None:
    """A pod without a sidecar, for others to reach."""
    workspace.apply([BYSTANDER])
    workspace.kubectl("wait", "pod/bystander", "--for=condition=Ready", "--timeout=60s")


def reached(app: Deployment) -> Cell:
    """What of the cluster answers once the app runs and the routes are there."""
    wait_for("the app", lambda: succeeds(app, "true"), PATIENCE)
    wait_for("the routes", lambda: OTHER in Sidecar(app).shell("ip route show table 52"), PATIENCE)
    bystander = app.workspace.get("Pod", "bystander")["status"]["podIP"]
    tries = {
        "cluster DNS": ("timeout", "5", "resolve-musl", CLUSTER_NAME),
        "other pods": ("fetch", "-timeout=3s", f"http://{bystander}/"),
        "the API server": ("sh", "-c", "nc -w 3 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT -e true"),
    }
    cut_off = [name for name, command in tries.items() if not succeeds(app, *command)]
    if not saves_state(app):
        cut_off.append("its state Secret")
    if cut_off:
        return Cell(f"cut off from {', '.join(cut_off)}", holds=False)
    return Cell(f"{', '.join(tries)} reached; state saved; other routes accepted")


def saves_state(app: Deployment) -> bool:
    """Whether a change reaches the state Secret."""
    try:
        Sidecar(app).tailscale("set", "--nickname=saved-through-it")
    except LabError:
        return False
    return "saved-through-it" in saved(app)


def succeeds(app: Deployment, *command: str) -> bool:
    """Whether a command in the app's container does."""
    try:
        app.exec(*command)
    except LabError:
        return False
    return True


def reaches_the_node(app: Deployment) -> Cell:
    """Whether the address works beside a sidecar, or the component says that it would not."""
    try:
        deploy(app)
    except ValueError:
        return Cell("refused when the program runs")
    if succeeds(app, "nc", "-w", "3", OF_THE_TAILNET, KUBELET_PORT, "-e", "true"):
        return Cell("reached")
    return Cell("silently cut off from it", holds=False)


def is_reached(app: Deployment) -> Cell:
    """Whether other pods reach the app once it is on the tailnet, or the pod says that they would not."""
    sidecar = Sidecar(app)
    wait_for("the tailnet or a word", lambda: is_connected(app) or "100.64.0.0/10" in sidecar.last_words(), PATIENCE)
    if "100.64.0.0/10" in sidecar.last_words():
        return Cell("refused when the pod starts, with the way out in its status")
    try:
        app.workspace.kubectl("exec", "bystander", "--", "fetch", "-timeout=3s", f"http://{app.status()['podIP']}/")
    except LabError:
        return Cell("silently cut off from other pods", holds=False)
    return Cell("reached")
