"""The app keeps the cluster's DNS and reaches tailnet devices by address."""

import pulumi

from tailscale_sidecar import (
    ClusterDns,
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "cluster-dns",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        dns=ClusterDns(),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
