"""Not privileged: a device plugin gives the sidecar /dev/net/tun, and NET_ADMIN does the rest."""

import pulumi

from tailscale_sidecar import (
    KernelNetworking,
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "tun-device",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        networking=KernelNetworking(tun_device="devic.es/tun"),
        tags=["tag:k8s"],
    ),
)
