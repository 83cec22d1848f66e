import pulumi
from pulumi_tailscale_sidecar import TailscaleSidecarStatefulSet

config = pulumi.Config()
app = TailscaleSidecarStatefulSet(
    "my-app",
    pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
    auth={"oauth_client": {"client_secret": config.require_secret("clientSecret")}},
    replicas=2,
    tags=["tag:k8s"],
)
pulumi.export("devices", app.devices)
