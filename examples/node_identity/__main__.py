"""A DaemonSet whose devices are the nodes': a pod that replaces another on its node is the same device."""

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet, DaemonSetSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, PodSpecArgs, PodTemplateSpecArgs, ServiceAccount
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from tailscale_sidecar import ClusterDns, OAuthClient, SecretState, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
sidecar = TailscaleSidecar(
    "node-identity",
    TailscaleSidecarArgs(
        kind="DaemonSet",
        workload="node-identity",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
        dns=ClusterDns(),
        state=SecretState(access="guarded"),
        service_account_name="node-identity",
    ),
)
labels = {"app": "node-identity"}
account = ServiceAccount("node-identity", metadata=ObjectMetaArgs(name="node-identity"))
DaemonSet(
    "node-identity",
    metadata=ObjectMetaArgs(name="node-identity"),
    spec=DaemonSetSpecArgs(
        selector=LabelSelectorArgs(match_labels=labels),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels),
            spec=PodSpecArgs(
                service_account_name="node-identity",
                automount_service_account_token=False,
                containers=[ContainerArgs(name="agent", image="nginx:1.29")],
            ),
        ),
    ),
    opts=pulumi.ResourceOptions(transforms=[sidecar.transform], depends_on=[account]),
)
