"""Sidecars create their own state Secrets, and an admission policy keeps each to its own."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    SecretState,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "state-guarded",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        state=SecretState(access="guarded", max_replicas=100),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
