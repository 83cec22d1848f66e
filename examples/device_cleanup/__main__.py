"""Devices as outputs of the program, and off the tailnet as soon as their replicas go."""

import pulumi

from tailscale_sidecar import (
    DeviceCleanup,
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
app = TailscaleSidecarStatefulSet(
    "device-cleanup",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        replicas=2,
        tags=["tag:k8s"],
        device_cleanup=DeviceCleanup(client_secret=config.require_secret("cleanupSecret")),
    ),
)
pulumi.export("devices", app.devices)
