"""No app: subnet routers that are nothing but Tailscale."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "tailscale-alone",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        replicas=2,
        tags=["tag:k8s"],
        advertise_routes=["198.51.100.0/24"],
    ),
)
