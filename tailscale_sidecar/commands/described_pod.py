"""A pod of what `preflight`'s command line says. It loads Pulumi, which the other commands do without."""

from __future__ import annotations

import argparse

from ..choices.auth import Auth, AuthKey, OAuthClient, WorkloadIdentity
from ..choices.dns import ClusterDns, Dns, InPodSplitDns, SplitDns
from ..choices.networking import KernelNetworking, UserspaceNetworking
from ..choices.state import SecretState
from ..component import pod_template
from ..component.stateful_set_args import TailscaleSidecarStatefulSetArgs
from ..inspection.deployment_plan import pod_of
from ..inspection.workload import Workload
from ..pod.contract import TAILSCALE_IMAGE
from ..pod.objects import Json

SECRET = "auth"
"""Name of a Secret, which has not to be there."""
AUTH: dict[str, Auth] = {
    "oauth": OAuthClient(existing_secret=SECRET),
    "auth-key": AuthKey(existing_secret=SECRET),
    "workload-identity": WorkloadIdentity(client_id="client", audience="audience"),
}
DNS: dict[str, type[Dns]] = {"in-pod": InPodSplitDns, "split": SplitDns, "cluster": ClusterDns}


def described_pod(options: argparse.Namespace, dns: str) -> Json:
    """The component's own pod, with an app that asks for nothing."""
    app = {
        "name": "app",
        "image": TAILSCALE_IMAGE,
        "securityContext": UserspaceNetworking().security_context(routes=False),
    }
    runtime = {"runtimeClassName": options.runtime_class} if options.runtime_class else {}
    kernel = KernelNetworking(tun_device=options.tun_device or None, user_namespace=options.user_namespace)
    args = TailscaleSidecarStatefulSetArgs(
        pod_spec={"containers": [app], **runtime},
        auth=AUTH[options.auth],
        dns=DNS[dns](),
        networking=kernel if options.networking == "kernel" else UserspaceNetworking(),
        state=SecretState(access=options.access),
        tags=["tag:any"],
    )
    spec = pod_template.stateful_set_spec(pod_template.surroundings(options.name, args, SECRET), args)
    return pod_of(Workload({"kind": "StatefulSet", "metadata": {"name": options.name}, "spec": spec}))
