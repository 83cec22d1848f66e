"""A DaemonSet: each node's agent is a device, which the tailnet reaches as long as its pod lives."""

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet

from tailscale_sidecar import ClusterDns, OAuthClient, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
sidecar = TailscaleSidecar(
    "daemon-set",
    TailscaleSidecarArgs(
        kind="DaemonSet",
        workload="daemon-set",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
        dns=ClusterDns(),
    ),
)
labels = {"app": "daemon-set"}
DaemonSet(
    "daemon-set",
    metadata={"name": "daemon-set"},
    spec={
        "selector": {"match_labels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "agent", "image": "nginx:1.29"}]},
        },
    },
    opts=pulumi.ResourceOptions(transforms=[sidecar.transform]),
)
