"""A database that keeps its own hardening: non-root, read-only root file system, claims of its own."""

import pulumi

from tailscale_sidecar import (
    OAuthClient,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "database",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={
            "security_context": {"run_as_user": 999, "run_as_non_root": True, "fs_group": 999},
            "containers": [
                {
                    "name": "postgres",
                    "image": "postgres:18",
                    "env": [{"name": "POSTGRES_HOST_AUTH_METHOD", "value": "trust"}],
                    "security_context": {"read_only_root_filesystem": True},
                    "volume_mounts": [
                        {"name": "data", "mount_path": "/var/lib/postgresql"},
                        {"name": "run", "mount_path": "/var/run/postgresql"},
                    ],
                }
            ],
            "volumes": [{"name": "run", "empty_dir": {}}],
        },
        volume_claim_templates=[
            {
                "metadata": {"name": "data"},
                "spec": {"access_modes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
            }
        ],
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        replicas=2,
        tags=["tag:db"],
    ),
)
