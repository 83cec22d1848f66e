"""No privileges: for namespaces that enforce Pod Security `restricted`."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
    UserspaceNetworking,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "userspace",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={
            "security_context": {"run_as_non_root": True, "seccomp_profile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "app",
                    "image": "nginxinc/nginx-unprivileged:1.29",
                    "env": [{"name": "ALL_PROXY", "value": "socks5h://localhost:1055"}],
                    "security_context": {
                        "run_as_user": 101,
                        "allow_privilege_escalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        networking=UserspaceNetworking(),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
