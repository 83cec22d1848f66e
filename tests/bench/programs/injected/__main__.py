"""A Pulumi program of as many StatefulSets as its configuration says, into which a transform puts the sidecar.

With `byHand`, the same StatefulSets without it, and the objects that the component makes beside each, by hand.
"""

from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from tailscale_sidecar import OAuthClient, TailscaleSidecar, TailscaleSidecarArgs

config = pulumi.Config()
namespace = config.get("namespace", "default")
RBAC = "rbac.authorization.k8s.io"


def by_hand(name: str) -> None:
    """What the component makes beside a StatefulSet."""

    def named(own: str) -> Any:
        return {"name": own, "labels": {"app": f"{name}-tailscale"}, "namespace": namespace}

    verbs = ["get", "update", "patch"]
    secrets: Any = {"apiGroups": [""], "resources": ["secrets"], "verbs": verbs, "resourceNames": [f"{name}-0"]}
    role = Role(f"{name}-role", metadata=named(f"{name}-tailscale"), rules=[secrets])
    subject: Any = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    role_ref: Any = {"apiGroup": RBAC, "kind": "Role", "name": f"{name}-tailscale"}
    RoleBinding(
        f"{name}-role-binding",
        metadata=named(f"{name}-tailscale"),
        subjects=[subject],
        role_ref=role_ref,
        opts=pulumi.ResourceOptions(depends_on=[role]),
    )
    data: Any = {"TS_CLIENT_ID": "kBENCH", "TS_CLIENT_SECRET": config.require_secret("clientSecret")}
    Secret(f"{name}-auth", metadata=named(f"{name}-tailscale-auth"), string_data=data)
    Secret(
        f"{name}-state",
        metadata=named(f"{name}-0"),
        type="Opaque",
        opts=pulumi.ResourceOptions(ignore_changes=["data", "stringData"]),
    )


def sidecar(name: str) -> TailscaleSidecar:
    """The component for a StatefulSet."""
    args = TailscaleSidecarArgs(
        kind="StatefulSet",
        workload=name,
        service_account_name="default",
        auth=OAuthClient(client_id="kBENCH", client_secret=config.require_secret("clientSecret")),
        namespace=namespace,
        tags=["tag:k8s"],
    )
    return TailscaleSidecar(name, args)


for number in range(config.get_int("workloads", 1)):
    app = f"app-{number}"
    transforms: Any = [] if config.get_bool("byHand") else [sidecar(app).transform]
    if not transforms:
        by_hand(app)
    spec: Any = {
        "replicas": 0,
        "serviceName": app,
        "selector": {"matchLabels": {"app": app}},
        "template": {
            "metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "app", "image": "nginx:1.29"}]},
        },
    }
    StatefulSet(
        f"{app}-workload",
        metadata={"name": app, "namespace": namespace},
        spec=spec,
        opts=pulumi.ResourceOptions(transforms=transforms),
    )
