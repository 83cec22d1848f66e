"""Replicas whose devices leave the tailnet with them, and a Deployment of one's own whose pods are devices."""

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_tailscale_sidecar import TailscaleSidecar, TailscaleSidecarStatefulSet

config = pulumi.Config()
auth = {"oauth_client": {"client_secret": config.require_secret("clientSecret")}}

store = TailscaleSidecarStatefulSet(
    "store",
    pod_spec={"containers": [{"name": "store", "image": "nginx:1.29"}]},
    auth=auth,
    replicas=2,
    tags=["tag:k8s"],
    networking={"userspace_networking": {}},
    state={"secret_state": {"access": "guarded"}},
    device_cleanup={"client_secret": config.require_secret("cleanupSecret")},
)

labels = {"app": "web"}
sidecar = TailscaleSidecar(
    "web",
    workload="web",
    auth=auth,
    tags=["tag:k8s"],
    deployment={
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]}},
    },
)
Deployment("web", metadata={"name": "web"}, spec=sidecar.deployment)

pulumi.export("devices", store.devices)
