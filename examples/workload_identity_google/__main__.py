"""On GKE: Google vouches for the pod's service account, and no secret is stored anywhere."""

import pulumi

from tailscale_sidecar import (
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
    WorkloadIdentity,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "workload-identity-google",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=WorkloadIdentity(client_id=config.require("clientId"), audience=config.require("audience")),
        tags=["tag:k8s"],
        service_account_annotations={"iam.gke.io/gcp-service-account": config.require("serviceAccount")},
    ),
)
