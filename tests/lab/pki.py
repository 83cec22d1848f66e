"""The cluster's certificates and kubeconfigs."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from .settings import API_SERVER, FAMILIES, IPV4, KUBECONFIG, NODE, PKI
from .shell import run

YEARS = "3650"


@dataclass(frozen=True)
class Identity:
    """Who a certificate is for; its name is that of the files."""

    name: str
    subject: str
    hosts: tuple[str, ...] = ()


NODE_HOSTS = (f"DNS:{NODE}", *(f"IP:{family.node}" for family in FAMILIES))
IDENTITIES = (
    Identity(
        "kube-apiserver",
        "/CN=kube-apiserver",
        (
            *NODE_HOSTS,
            "IP:127.0.0.1",
            "DNS:localhost",
            "DNS:kubernetes",
            "DNS:kubernetes.default",
            "DNS:kubernetes.default.svc",
            "DNS:kubernetes.default.svc.cluster.local",
            f"IP:{IPV4.services.removesuffix('0.0/16')}0.1",
        ),
    ),
    Identity("admin", "/O=system:masters/CN=admin"),
    Identity("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
    Identity("kubelet", f"/O=system:nodes/CN=system:node:{NODE}", NODE_HOSTS),
    Identity("kube-controller-manager", "/CN=system:kube-controller-manager"),
    Identity("kube-scheduler", "/CN=system:kube-scheduler"),
    Identity("kube-proxy", "/CN=system:kube-proxy"),
    Identity("coredns", "/CN=system:coredns"),
)


def certificate(name: str) -> Path:
    """The file of a certificate."""
    return PKI / f"{name}.crt"


def private_key(name: str) -> Path:
    """The file of a private key."""
    return PKI / f"{name}.key"


def kubeconfig(name: str) -> Path:
    """The file by which a component talks to the API server."""
    return KUBECONFIG if name == "admin" else PKI / f"{name}.kubeconfig"


def ensure() -> None:
    """Make what the disks do not hold from before; the last file written vouches for all."""
    if KUBECONFIG.exists():
        return
    PKI.mkdir(parents=True, exist_ok=True)
    # The service accounts' key is RSA, as on most clusters: not every verifier knows another.
    run(["openssl", "genrsa", "-out", private_key("service-accounts"), "2048"])
    issue(Identity("ca", "/CN=tailscale-sidecar-lab"), "basicConstraints=critical,CA:TRUE")
    for identity in IDENTITIES:
        usage = ["-addext", "extendedKeyUsage=serverAuth,clientAuth"]
        if identity.hosts:
            usage += ["-addext", f"subjectAltName={','.join(identity.hosts)}"]
        issue(identity, "basicConstraints=CA:FALSE", "ca", usage)
    for name in ("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns"):
        write_kubeconfig(name)
    write_kubeconfig("admin")


def issue(identity: Identity, constraints: str, issuer: str | None = None, more: list[str] | None = None) -> None:
    """Make a key and its certificate."""
    signer: list[str | Path] = ["-CA", certificate(issuer), "-CAkey", private_key(issuer)] if issuer else []
    files: list[str | Path] = ["-keyout", private_key(identity.name), "-out", certificate(identity.name)]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    about = ["-days", YEARS, "-subj", identity.subject, "-addext", constraints, *(more or [])]
    run(["openssl", "req", "-x509", *key, *about, *signer, *files])


def write_kubeconfig(name: str) -> None:
    """Write a kubeconfig that holds all it needs (JSON is YAML)."""

    def data(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    cluster = {"server": API_SERVER, "certificate-authority-data": data(certificate("ca"))}
    user = {
        "client-certificate-data": data(certificate(name)),
        "client-key-data": data(private_key(name)),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
        "current-context": "lab",
    }
    file = kubeconfig(name)
    file.touch(mode=0o600)
    file.write_text(json.dumps(content, indent=1) + "\n")
