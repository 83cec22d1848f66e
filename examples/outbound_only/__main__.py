"""On a control plane of one's own: devices that open connections and accept none."""

import pulumi

from tailscale_sidecar import (
    AuthKey,
    InPodSplitDns,
    TailscaleSidecarStatefulSet,
    TailscaleSidecarStatefulSetArgs,
)

config = pulumi.Config()
TailscaleSidecarStatefulSet(
    "outbound-only",
    TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [{"name": "app", "image": "nginx:1.29"}]},
        auth=AuthKey(auth_key=config.require_secret("authKey")),
        replicas=2,
        hostname="batch",
        login_server=config.require("loginServer"),
        dns=InPodSplitDns(tailnet_domains=[config.get("tailnetDomain") or "tail.example.com"]),
        shields_up=True,
        metrics_port=9100,
        extra_args=["--stateful-filtering"],
    ),
)
