"""A Pulumi program of as many components as its configuration says, each with the default choices."""

from typing import Any

import pulumi

from tailscale_sidecar import OAuthClient, SecretState, TailscaleSidecarStatefulSet, TailscaleSidecarStatefulSetArgs

config = pulumi.Config()
access: Any = config.get("access", "scoped")
for number in range(config.get_int("components", 1)):
    TailscaleSidecarStatefulSet(
        f"app-{number}",
        TailscaleSidecarStatefulSetArgs(
            pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
            auth=OAuthClient(client_id="kBENCH", client_secret=config.require_secret("clientSecret")),
            replicas=config.get_int("replicas", 0),
            state=SecretState(access=access, max_replicas=config.get_int("secrets", 1)),
            namespace=config.get("namespace", "default"),
            tags=["tag:k8s"],
        ),
    )
