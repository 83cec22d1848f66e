"""A Job that is on the tailnet while it runs, and completes when its own container does."""

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, PodSpecArgs, PodTemplateSpecArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from tailscale_sidecar import OAuthClient, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
sidecar = TailscaleSidecar(
    "job",
    TailscaleSidecarArgs(
        kind="Job",
        workload="job",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
    ),
)
look_up = ContainerArgs(name="look-up", image="busybox:1.37", command=["sh", "-c", "cat /etc/resolv.conf"])
Job(
    "job",
    metadata=ObjectMetaArgs(name="job"),
    spec=JobSpecArgs(
        template=PodTemplateSpecArgs(spec=PodSpecArgs(restart_policy="OnFailure", containers=[look_up])),
    ),
    opts=pulumi.ResourceOptions(transforms=[sidecar.transform]),
)
