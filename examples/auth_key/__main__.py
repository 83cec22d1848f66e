"""A static auth key, which carries the tags."""

import pulumi

from tailscale_sidecar import (
    AuthKey,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "auth-key",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=AuthKey(auth_key=config.require_secret("authKey")),
        replicas=2,
    ),
)
