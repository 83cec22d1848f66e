"""The OAuth client is made in the same program, and goes when the program is destroyed."""

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

# The extra: pip install 'tailscale-sidecar[tailscale]'
# Pulumi's own credential, with the scopes auth_keys and oauth_keys and these tags:
#   pulumi config set tailscale:oauthClientId ... && pulumi config set --secret tailscale:oauthClientSecret ...
tags = ["tag:k8s"]
TailscaleSidecarStatefulSet(
    "created-credentials",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=OAuthClient.create("created-credentials", tags=tags),
        replicas=2,
        tags=tags,
    ),
)
