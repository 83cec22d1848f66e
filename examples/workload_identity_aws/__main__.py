"""On EKS: AWS vouches for the pod, and no secret is stored anywhere."""

import pulumi

from tailscale_sidecar import (
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
    WorkloadIdentity,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "workload-identity-aws",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=WorkloadIdentity(client_id=config.require("clientId"), audience=config.require("audience")),
        tags=["tag:k8s"],
        # The role that the pods assume, with sts:GetWebIdentityToken; IMDS must be reachable from pods (hop limit 2).
        service_account_annotations={"eks.amazonaws.com/role-arn": config.require("roleArn")},
        env={"AWS_REGION": config.require("region")},
    ),
)
