"""On a Headscale: a pre-auth key, names below its base domain, and nodes that go with their replicas."""

import pulumi

from tailscale_sidecar import (
    AuthKey,
    DeviceCleanup,
    InPodSplitDns,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
app = TailscaleSidecarStatefulSet(
    "headscale",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        login_server=config.require("loginServer"),
        auth=AuthKey(auth_key=config.require_secret("authKey")),
        dns=InPodSplitDns(tailnet_domains=[config.require("baseDomain")]),
        replicas=2,
        device_cleanup=DeviceCleanup(headscale_api_key=config.require_secret("headscaleApiKey")),
    ),
)
pulumi.export("devices", app.devices)
