"""The guide's own Role: every Secret of the namespace can be read and written."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    SecretState,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "state-open",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        state=SecretState(access="open"),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
