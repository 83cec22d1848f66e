"""The OAuth client's secret is in the cluster already, and Pulumi never reads it."""

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

TailscaleSidecarStatefulSet(
    "existing-secret",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        # kubectl create secret generic tailscale-oauth --from-literal=TS_CLIENT_SECRET=tskey-client-...
        auth=OAuthClient(existing_secret="tailscale-oauth"),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
