"""On any cluster whose issuer Tailscale can reach: the pod's own ServiceAccount token logs it in."""

import pulumi

from tailscale_sidecar import (
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
    WorkloadIdentity,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "workload-identity-projected",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        # Issuer: kubectl get --raw /.well-known/openid-configuration
        # Subject: system:serviceaccount:default:workload-identity-projected
        auth=WorkloadIdentity(
            client_id=config.require("clientId"),
            audience=config.require("audience"),
            token="projected",
        ),
        replicas=2,
        tags=["tag:k8s"],
    ),
)
