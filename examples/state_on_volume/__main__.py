"""The identity on a volume claim for each replica, where sidecars may not write Secrets."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    PersistentVolumeState,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "state-on-volume",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        state=PersistentVolumeState(size="1Gi"),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
