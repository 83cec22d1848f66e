"""Pods that somebody else makes: those of a namespace with a label get the sidecar when they are created."""

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, PodSpecArgs, PodTemplateSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from tailscale_sidecar import ClusterDns, OAuthClient, TailscaleSidecarInjection, TailscaleSidecarInjectionArgs

config = pulumi.Config()
injection = TailscaleSidecarInjection(
    "injection",
    TailscaleSidecarInjectionArgs(
        namespace=config.get("namespace") or "default",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
        dns=ClusterDns(),
        login_server=config.get("loginServer"),
    ),
)
labels = {"app": "injected", "tailscale-sidecar/inject": "injection"}
Deployment(
    "injected",
    metadata=ObjectMetaArgs(name="injected", namespace=config.get("namespace")),
    spec=DeploymentSpecArgs(
        selector=LabelSelectorArgs(match_labels={"app": "injected"}),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels),
            spec=PodSpecArgs(containers=[ContainerArgs(name="app", image=config.get("appImage") or "nginx:1.29")]),
        ),
    ),
    opts=pulumi.ResourceOptions(depends_on=[injection]),
)
