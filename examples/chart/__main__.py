"""A chart as it is: the replicas of its StatefulSet are devices with a lasting identity."""

import pulumi
from pulumi_kubernetes.helm.v4 import Chart

from tailscale_sidecar import OAuthClient, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
sidecar = TailscaleSidecar(
    "chart",
    TailscaleSidecarArgs(
        kind="StatefulSet",
        workload="chart",  # as the chart calls it in this release
        replicas=2,
        service_account_name="chart",
        auth=OAuthClient(client_secret=config.require_secret("clientSecret")),
        tags=["tag:k8s"],
        login_server=config.get("loginServer"),
    ),
)
Chart(
    "chart",
    chart=config.require("chart"),
    opts=pulumi.ResourceOptions(transforms=[sidecar.transform]),
)
