"""The OAuth client is made in the same program, and goes when the program is destroyed."""

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

# Pulumi's own credential for Tailscale is in the configuration: docs/credentials.md
tags = ["tag:k8s"]
TailscaleSidecarStatefulSet(
    "created-credentials",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient.create("created-credentials", tags=tags),
        replicas=2,
        tags=tags,
    ),
)
