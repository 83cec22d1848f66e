"""Devices that come and go with their pods: the state is in the pod, the devices are ephemeral."""

import pulumi

from tailscale_sidecar import (
    EmptyDirState,
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "state-in-pod",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        state=EmptyDirState(),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
