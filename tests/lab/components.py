"""The programs the lab runs: their command lines, and how each says that it is ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from . import cgroups, images, namespace, pki, processes
from .settings import (
    API_SERVER,
    BIN,
    CONFIG,
    DISKS,
    FAMILIES,
    IPV4,
    NAME,
    NODE,
    PKI,
    PODS_BRIDGE,
    RUN,
    STATE,
    TAILNET_URL,
    UPSTREAM_DNS,
)
from .shell import LabError

GENERATED = STATE / "config"
CNI = GENERATED / "cni"  # containerd takes the first file in it, and sees when that changes
CONTAINERD_SOCKET = RUN / "containerd.sock"
NODE_READY = RUN / "node.ready"


@dataclass(frozen=True)
class Component:
    """A program of the lab."""

    name: str
    command: tuple[str | Path, ...]
    ready: str  # a URL that answers 200, or a file or a Unix socket to be there
    on_node: bool = False  # sees the node's file system
    group: str = cgroups.CONTROL  # the control group it starts in
    env: Mapping[str, str] = field(default_factory=dict)

    def launch(self) -> None:
        """Start it in the namespaces and the group it belongs to."""
        words = [str(word) for word in self.command]
        command = on_node(words) if self.on_node else namespace.command(words)
        processes.start(self.name, self.group, command, self.env)


def on_node(words: list[str]) -> list[str]:
    """Make a command run in the node's network and mount namespaces."""
    node = processes.Process.recorded("node")
    if node is None or not node.runs():
        raise LabError("the node is not up; `python -m tests.lab up` starts it")
    return ["nsenter", f"--net={namespace.FILE}", f"--mount=/proc/{node.pid}/ns/mnt", "--", *words]


def listed(attribute: str) -> str:
    """An attribute of each IP family, comma-separated as Kubernetes wants it."""
    return ",".join(getattr(family, attribute) for family in FAMILIES)


NODE_HOLDER = Component(
    "node",
    ("unshare", "--mount", "--propagation", "private", "sh", CONFIG / "mounts.sh", STATE),
    ready=str(NODE_READY),
    group=cgroups.NODE,
)
ETCD = Component(
    "etcd",
    (
        "etcd",
        f"--data-dir={DISKS}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",  # what survives here has to survive a killed etcd, not a power cut
    ),
    ready="http://127.0.0.1:2379/health",
)
API = Component(
    "kube-apiserver",
    (
        BIN / "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--bind-address={IPV4.node}",
        f"--advertise-address={IPV4.node}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={listed('services')}",
        f"--tls-cert-file={pki.certificate('kube-apiserver')}",
        f"--tls-private-key-file={pki.private_key('kube-apiserver')}",
        f"--client-ca-file={pki.certificate('ca')}",
        f"--kubelet-client-certificate={pki.certificate('kubelet-client')}",
        f"--kubelet-client-key={pki.private_key('kubelet-client')}",
        f"--kubelet-certificate-authority={pki.certificate('ca')}",
        "--kubelet-preferred-address-types=InternalIP",
        # An issuer that everything in the lab can reach, the control plane of the tailnet too.
        f"--service-account-issuer={API_SERVER}",
        f"--service-account-signing-key-file={pki.private_key('service-accounts')}",
        f"--service-account-key-file={pki.private_key('service-accounts')}",
        # Debian's etcd is too old for it. Without the server's saying so KWOK, for one, tries it for ever.
        "--feature-gates=WatchList=false",
        f"--audit-policy-file={GENERATED}/audit.yaml",
        f"--audit-log-path={processes.log('audit')}",
        "--audit-log-maxsize=100",  # MB
        "--audit-log-maxbackup=1",
    ),
    ready=f"{API_SERVER}/readyz",
)
CONTROLLERS = Component(
    "kube-controller-manager",
    (
        BIN / "kube-controller-manager",
        f"--kubeconfig={pki.kubeconfig('kube-controller-manager')}",
        f"--root-ca-file={pki.certificate('ca')}",
        f"--service-account-private-key-file={pki.private_key('service-accounts')}",
        f"--cluster-signing-cert-file={pki.certificate('ca')}",
        f"--cluster-signing-key-file={pki.private_key('ca')}",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false",
        "--leader-elect=false",
    ),
    ready="https://127.0.0.1:10257/healthz",
)
SCHEDULER = Component(
    "kube-scheduler",
    (
        BIN / "kube-scheduler",
        f"--kubeconfig={pki.kubeconfig('kube-scheduler')}",
        "--leader-elect=false",
    ),
    ready="https://127.0.0.1:10259/healthz",
)
CONTAINERD = Component(
    "containerd",
    (BIN / "containerd", f"--config={GENERATED}/containerd.toml"),
    ready=str(CONTAINERD_SOCKET),
    on_node=True,
    group=cgroups.NODE,
)
KUBELET = Component(
    "kubelet",
    (
        BIN / "kubelet",
        f"--config={GENERATED}/kubelet.yaml",
        f"--kubeconfig={pki.kubeconfig('kubelet')}",
        f"--hostname-override={NODE}",
        f"--node-ip={listed('node')}",
    ),
    ready="http://127.0.0.1:10248/healthz",
    on_node=True,
    group=cgroups.NODE,
)
TUN_DEVICES = Component(
    "tun-device-plugin",
    (BIN / "tun-device-plugin",),
    ready=f"{DISKS}/kubelet/device-plugins/tun.sock",
    on_node=True,
    group=cgroups.NODE,
)
PROXY = Component(
    "kube-proxy",
    (
        BIN / "kube-proxy",
        f"--kubeconfig={pki.kubeconfig('kube-proxy')}",
        f"--hostname-override={NODE}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={listed('pods')}",
        "--conntrack-max-per-core=0",  # 0: leave the machine's own limits alone
        "--conntrack-min=0",
    ),
    ready="http://127.0.0.1:10256/livez",
    on_node=True,
    group=cgroups.NODE,
)
COREDNS = Component(
    "coredns",
    (BIN / "coredns", "-conf", GENERATED / "cluster.Corefile"),
    ready=f"http://{IPV4.node}:8181/ready",
)
UPSTREAM = Component(
    "upstream-dns",
    (BIN / "coredns", "-conf", GENERATED / "upstream.Corefile"),
    ready=f"http://{UPSTREAM_DNS}:8181/ready",
)
TAILNET = Component(
    "tailnet",
    (
        BIN / "tailnet",
        "-addr",
        TAILNET_URL.removeprefix("http://"),
        "-state-file",
        DISKS / "tailnet/state.json",
        "-tags",
        "tag:k8s",
    ),
    ready=f"{TAILNET_URL}/lab/ready",
    env={"SSL_CERT_FILE": str(pki.certificate("ca"))},  # it asks the API server for its keys
)

COMPONENTS = {
    component.name: component
    for component in (
        NODE_HOLDER,
        ETCD,
        API,
        UPSTREAM,
        TAILNET,
        CONTAINERD,
        CONTROLLERS,
        SCHEDULER,
        COREDNS,
        PROXY,
        KUBELET,
        TUN_DEVICES,
    )
}


def write_config() -> None:
    """Write the components' files from their templates, and make the folders they expect."""
    for disk in ("cni", "containerd", "etcd", "kubelet", "log", "tailnet", "volumes"):
        (DISKS / disk).mkdir(parents=True, exist_ok=True)
    CNI.mkdir(parents=True, exist_ok=True)
    for name in ("audit.yaml", "containerd.toml", "kubelet.yaml", "cluster.Corefile", "upstream.Corefile"):
        (GENERATED / name).write_text(filled(name))
    (GENERATED / "cluster.yaml").write_text(
        filled("cluster.yaml")
        + "".join(filled("dns-endpoints.yaml", version=family.version, node=family.node) for family in FAMILIES)
    )
    (GENERATED / "resolv.conf").write_text(f"nameserver {UPSTREAM_DNS}\n")
    (CNI / "10-lab.conflist").write_text(
        json.dumps(pod_network(NAME, PODS_BRIDGE, *(family.pods for family in FAMILIES)), indent=1)
    )


def filled(template: str, **more: object) -> str:
    """Fill a template of the config folder."""
    values: dict[str, object] = {
        "addresses": " ".join(family.node for family in FAMILIES),
        "cgroup": cgroups.PODS,
        "cni_plugins": cni_plugins(),
        "config": GENERATED,
        "dns": IPV4.dns,
        "node": IPV4.node,
        "node_name": NODE,
        "pause_image": images.PAUSE_IMAGE,
        "pki": PKI,
        "run": RUN,
        "service_addresses": json.dumps([family.dns for family in FAMILIES]),
        "upstream": UPSTREAM_DNS,
    }
    return Template((CONFIG / template).read_text()).substitute({**values, **more})


def cni_plugins() -> Path:
    """Debian has the plugins in one folder, the rest of the world in another."""
    for folder in (Path("/usr/lib/cni"), Path("/opt/cni/bin")):
        if (folder / "bridge").exists():
            return folder
    raise LabError("the CNI plugins are missing; `python -m tests.lab setup` installs them")


def pod_network(name: str, bridge: str, *subnets: str) -> dict[str, object]:
    """The CNI configuration: a bridge, an address of each subnet, no way out."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": subnet}] for subnet in subnets],
        "routes": [{"dst": family.everything} for family in FAMILIES[: len(subnets)]],
    }
    plugin = {
        "type": "bridge",
        "bridge": bridge,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": name, "plugins": [plugin, ports]}
