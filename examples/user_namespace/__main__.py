"""Root in the pod, the privileged sidecar too, is nobody on the node."""

import pulumi

from tailscale_sidecar import (
    KernelNetworking,
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "user-namespace",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        networking=KernelNetworking(user_namespace=True),
        tags=["tag:k8s"],
    ),
)
