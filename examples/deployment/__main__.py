"""A Deployment that a program has already: its pods become devices, which come and go with them."""

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment

from tailscale_sidecar import OAuthClient, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
sidecar = TailscaleSidecar(
    "deployment",
    TailscaleSidecarArgs(
        kind="Deployment",
        workload="deployment",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
    ),
)
labels = {"app": "deployment"}
Deployment(
    "deployment",
    metadata={"name": "deployment"},
    spec={
        "replicas": 2,
        "selector": {"match_labels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": "nginx:1.29"}]},
        },
    },
    opts=pulumi.ResourceOptions(transforms=[sidecar.transform]),
)
