"""Replicas that route a network, and the internet, for the tailnet."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "subnet-router",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        replicas=2,
        tags=["tag:k8s"],
        advertise_routes=["192.0.2.0/24"],
        advertise_exit_node=True,
    ),
)
