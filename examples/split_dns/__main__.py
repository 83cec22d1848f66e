"""The app asks Tailscale's resolver; the tailnet has a split DNS route for svc.cluster.local to the cluster's DNS."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    SplitDns,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "split-dns",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        dns=SplitDns(),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
