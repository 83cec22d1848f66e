"""Two replicas of an app, each a device of the tailnet."""

import pulumi

from tailscale_sidecar import OAuthClient, TailscaleSidecarStatefulSet, TailscaleSidecarStatefulSetArgs

config = pulumi.Config()
app = TailscaleSidecarStatefulSet(
    "my-app",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
pulumi.export("devices", app.devices)
