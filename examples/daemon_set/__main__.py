"""A DaemonSet: each node's agent is a device, which the tailnet reaches as long as its pod lives."""

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet, DaemonSetSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, PodSpecArgs, PodTemplateSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from tailscale_sidecar import ClusterDns, OAuthClient, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
sidecar = TailscaleSidecar(
    "daemon-set",
    TailscaleSidecarArgs(
        kind="DaemonSet",
        workload="daemon-set",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
        dns=ClusterDns(),
    ),
)
labels = {"app": "daemon-set"}
DaemonSet(
    "daemon-set",
    metadata=ObjectMetaArgs(name="daemon-set"),
    spec=DaemonSetSpecArgs(
        selector=LabelSelectorArgs(match_labels=labels),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels),
            spec=PodSpecArgs(containers=[ContainerArgs(name="agent", image="nginx:1.29")]),
        ),
    ),
    opts=pulumi.ResourceOptions(transforms=[sidecar.transform]),
)
