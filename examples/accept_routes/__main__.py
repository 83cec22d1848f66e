"""The pods use the tailnet's subnet routes, on-premises networks say, but never for the cluster's own addresses."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "accept-routes",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        replicas=2,
        tags=["tag:k8s"],
        accept_routes=True,
        cluster_cidrs=config.require_object("clusterCidrs"),  # pods, services, nodes
    ),
)
