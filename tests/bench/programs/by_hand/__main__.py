"""The same program as component/__main__.py, as somebody writes it who has Pulumi's Kubernetes SDK and no component.

They have the scripts in a folder beside it.
"""

import re
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret, Service, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

config = pulumi.Config()
namespace = config.get("namespace", "default")
replicas = config.get_int("replicas", 0)
secrets = config.get_int("secrets", 1)
grouped = config.get_bool("grouped")

TAILSCALE = "ghcr.io/tailscale/tailscale:v1.104.5"
COREDNS = "coredns/coredns:1.15.0"
RBAC = "rbac.authorization.k8s.io"
RUN = {"name": "tailscale-run", "mountPath": "/run/tailscale-sidecar"}
RESOURCES = {"requests": {"cpu": "15m", "memory": "48Mi"}}
PRIVILEGED = {"privileged": True, "runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False}
COMMENT = re.compile("^ *#(?!!).*\n", re.MULTILINE)
SCRIPTS = {file.stem: COMMENT.sub("", file.read_text(encoding="utf-8")) for file in Path("scripts").glob("*.sh")}
COREFILE_ANNOTATION = "tailscale-sidecar/corefile"
COREFILE = """\
ts.net {
  bind 127.0.0.1
  errors
  cache {
    success 1000 1 0
    denial 1000 1 0
    servfail 0
  }
  forward . 127.0.0.2 {
    max_fails 0
    next NOERROR NXDOMAIN SERVFAIL
  }
  forward . 100.100.100.100 127.0.0.2 {
    policy sequential
    max_fails 0
    read_timeout 500ms
  }
}
ts.net {
  bind 127.0.0.2
  cache {
    success 1000 1 0
    denial 1000 1 0
    servfail 0
    serve_stale 1h
  }
  forward . 100.100.100.100 {
    max_fails 0
    prefer_udp
  }
}
. {
  bind 127.0.0.1
  errors
  ready [{$POD_IP}]:9003
  forward . /etc/resolv.conf
}
"""


class App(pulumi.ComponentResource):
    """A component that only holds together what is below it; of the same type, as that is in each resource's URN."""

    def __init__(self, name: str) -> None:
        super().__init__("tailscale-sidecar:index:TailscaleSidecarStatefulSet", name)


def app(name: str) -> None:
    """One StatefulSet with the resources around it."""

    def named(own: str) -> Any:
        return {"name": own, "labels": {"app": name}, "namespace": namespace}

    group = App(name) if grouped else None
    child = pulumi.ResourceOptions(parent=group)
    metadata = named(name)
    headless: Any = {"clusterIP": "None", "selector": {"app": name}, "publishNotReadyAddresses": False}
    service = Service(f"{name}-service", metadata=metadata, spec=headless, opts=child)
    account = ServiceAccount(
        f"{name}-service-account", metadata=metadata, automount_service_account_token=False, opts=child
    )
    states = [f"{name}-{ordinal}" for ordinal in range(secrets)]
    own: Any = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get", "update", "patch"],
        "resourceNames": states,
    }
    role = Role(f"{name}-role", metadata=metadata, rules=[own], opts=child)
    subject: Any = {"kind": "ServiceAccount", "name": account.metadata["name"], "namespace": namespace}
    reference: Any = {"apiGroup": RBAC, "kind": "Role", "name": role.metadata["name"]}
    binding = RoleBinding(f"{name}-role-binding", metadata=metadata, subjects=[subject], role_ref=reference, opts=child)
    auth = Secret(
        f"{name}-auth",
        metadata=named(f"{name}-auth"),
        string_data={"TS_CLIENT_ID": "kBENCH", "TS_CLIENT_SECRET": config.require_secret("clientSecret")},
        opts=child,
    )
    identities = [
        Secret(f"{name}-state-{ordinal}", metadata=named(state), type="Opaque", opts=child)
        for ordinal, state in enumerate(states)
    ]
    spec: Any = {
        "replicas": replicas,
        "serviceName": service.metadata["name"],
        "podManagementPolicy": "OrderedReady",
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}, "annotations": {COREFILE_ANNOTATION: COREFILE}},
            "spec": pod(account, auth),
        },
    }
    # The types of the SDK are too much for a type checker where a pod is written in place: hence Any.
    after = pulumi.ResourceOptions(parent=group, depends_on=[binding, *identities])
    StatefulSet(f"{name}-stateful-set", metadata=metadata, spec=spec, opts=after)
    if group is not None:
        group.register_outputs({})


def pod(account: ServiceAccount, auth: Secret) -> Any:
    """The pod: the app, and the sidecar's containers before it."""
    mount = {"name": "tailscale-run", "mountPath": "/etc/resolv.conf", "subPath": "app.conf", "readOnly": True}
    token = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    own = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    corefile = {"path": "Corefile", "fieldRef": {"fieldPath": f"metadata.annotations['{COREFILE_ANNOTATION}']"}}
    return {
        "serviceAccountName": account.metadata["name"],
        "automountServiceAccountToken": False,
        "initContainers": [resolver(), sidecar()],
        "containers": [{"name": "app", "image": "nginx:1.29", "volumeMounts": [mount]}],
        "volumes": [
            {"name": "tailscale-auth", "secret": {"secretName": auth.metadata["name"]}},
            {"name": "tailscale-corefile", "downwardAPI": {"items": [corefile]}},
            {"name": "tailscale-run", "emptyDir": {"medium": "Memory"}},
            {
                "name": "tailscale-token",
                "projected": {"sources": [token, authority, {"downwardAPI": {"items": [own]}}]},
            },
        ],
    }


def resolver() -> Any:
    """CoreDNS."""
    return {
        "name": "tailscale-dns",
        "image": COREDNS,
        "restartPolicy": "Always",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "env": [field("POD_IP", "status.podIP")],
        "volumeMounts": [{"name": "tailscale-corefile", "mountPath": "/etc/coredns", "readOnly": True}],
        "resources": {"requests": {"cpu": "5m", "memory": "24Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
    }


def sidecar() -> Any:
    """Tailscale."""
    settings = {
        "CLUSTER_CIDRS": "",
        "FORWARD": "false",
        "APP_NAMESERVER": "127.0.0.1",
        "CREDENTIAL_FLAG": "--client-secret",
        "CREDENTIAL_FILE": "/etc/tailscale-sidecar/auth/TS_CLIENT_SECRET",
        "CREDENTIAL_ATTRIBUTES": "ephemeral=false preauthorized=true",
        "TS_ACCEPT_DNS": "true",
        "RESOLVER_READY_PORT": "9003",
        "TS_KUBE_SECRET": "$(POD_NAME)",
        "TS_USERSPACE": "false",
        "TS_DEBUG_FIREWALL_MODE": "auto",
        "TS_HOSTNAME": "$(POD_NAME)",
        "TS_ROUTES": "",
        "TS_EXTRA_ARGS": (
            "--reset --advertise-tags=tag:k8s --accept-routes=false --advertise-exit-node=false --shields-up=false"
        ),
        "TS_TAILSCALED_EXTRA_ARGS": "--config=/run/tailscale-sidecar/tailscaled.json",
        "TS_AUTH_ONCE": "false",
        "TS_ENABLE_METRICS": "true",
        "TS_ENABLE_HEALTH_CHECK": "true",
        "TS_LOCAL_ADDR_PORT": "$(POD_IP):9002",
        "TS_BOOT_TIMEOUT": "24h",
    }
    start = SCRIPTS["keep"] + SCRIPTS["prepare"] + SCRIPTS["start"]
    prepared = "until [ -e /run/tailscale-sidecar/prepared ]; do sleep 0.05; done"
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    return {
        "name": "tailscale",
        "image": TAILSCALE,
        "restartPolicy": "Always",
        "command": ["/bin/sh", "-c", start, "start.sh", SCRIPTS["connect"], SCRIPTS["tailscaled"]],
        "env": [
            field("POD_NAME", "metadata.name"),
            field("POD_IP", "status.podIP"),
            field("POD_IPS", "status.podIPs"),
            field("HOST_IPS", "status.hostIPs"),
            *({"name": variable, "value": value} for variable, value in settings.items()),
        ],
        "volumeMounts": [
            RUN,
            {"name": "tailscale-auth", "mountPath": "/etc/tailscale-sidecar/auth", "readOnly": True},
            {"name": "tailscale-token", "mountPath": token, "readOnly": True},
        ],
        "resources": RESOURCES,
        "securityContext": PRIVILEGED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "lifecycle": {"postStart": {"exec": {"command": ["/bin/sh", "-c", prepared]}}},
        "ports": [{"name": "metrics", "containerPort": 9002, "protocol": "TCP"}],
        "startupProbe": probe("/healthz", 9002),
    }


def field(name: str, path: str) -> Any:
    """A variable from a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def probe(path: str, port: int) -> Any:
    """A start-up probe that waits as long as it takes."""
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1, "failureThreshold": 2_147_483_647}


for number in range(config.get_int("components", 1)):
    app(f"app-{number}")
