"""A Deployment that a program has already: its pods become devices, which come and go with them."""

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, PodSpecArgs, PodTemplateSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from tailscale_sidecar import OAuthClient, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
sidecar = TailscaleSidecar(
    "deployment",
    TailscaleSidecarArgs(
        kind="Deployment",
        workload="deployment",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
    ),
)
labels = {"app": "deployment"}
Deployment(
    "deployment",
    metadata=ObjectMetaArgs(name="deployment"),
    spec=DeploymentSpecArgs(
        replicas=2,
        selector=LabelSelectorArgs(match_labels=labels),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels),
            spec=PodSpecArgs(containers=[ContainerArgs(name="app", image="nginx:1.29")]),
        ),
    ),
    opts=pulumi.ResourceOptions(transforms=[sidecar.transform]),
)
