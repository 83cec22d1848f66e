"""The library's own way to the cluster: what it reads, what it says if it cannot, and what it leaves behind."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tailscale_sidecar.clients.errors import ClusterError
from tailscale_sidecar.clients.kubeconfig import ClusterAccess
from tailscale_sidecar.clients.kubernetes import connect

ANSWERS = {
    "/api/v1/namespaces/apps/secrets/db-0": (200, {"kind": "Secret"}),
    "/apis/apps/v1/namespaces/apps/statefulsets/db": (200, {"kind": "StatefulSet"}),
    "/api/v1/namespaces/apps/secrets/db-1": (403, {"message": 'secrets "db-1" is forbidden'}),
}


@pytest.fixture
def server() -> Iterator[str]:
    """URL of an API server that knows the token `t0ken`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers["authorization"] == "Bearer t0ken"
            status, body = ANSWERS.get(self.path, (404, {"message": "not found"})) if is_known else (401, {})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def kubeconfig(server: str, **user: str) -> str:
    return json.dumps(
        {
            "current-context": "right",
            "contexts": [
                {"name": "right", "context": {"cluster": "lab", "user": "me"}},
                {"name": "wrong", "context": {"cluster": "lab", "user": "nobody"}},
            ],
            "clusters": [{"name": "lab", "cluster": {"server": server}}],
            "users": [{"name": "me", "user": user}, {"name": "nobody", "user": {"token": "wrong"}}],
        }
    )


def test_objects_are_read_as_they_are_and_what_is_not_there_is_none(server: str, tmp_path: Path) -> None:
    text = kubeconfig(server, token="t0ken")
    file = tmp_path / "kubeconfig"
    file.write_text(text, encoding="utf-8")
    for given in (text, str(file)):
        cluster = connect(ClusterAccess(given), "apps", "devices")
        assert cluster.find("Secret", "db-0") == {"kind": "Secret"}
        assert cluster.find("StatefulSet", "db") == {"kind": "StatefulSet"}
        assert cluster.find("Pod", "db-0") is None


def test_the_ambient_kubeconfig_is_used_with_the_context_that_is_asked_for(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig(server, token="t0ken"), encoding="utf-8")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))  # read at its import
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert connect(ClusterAccess(), "apps", "devices").find("Secret", "db-0")
    with pytest.raises(ClusterError, match="401"):
        connect(ClusterAccess(context="wrong"), "apps", "devices").find("Secret", "db-0")


@pytest.mark.parametrize("given", ["text", "file"])
@pytest.mark.parametrize(("context", "namespace"), [("right", "default"), ("wrong", "theirs")])
def test_the_namespace_is_the_contexts_unless_given(given: str, context: str, namespace: str, tmp_path: Path) -> None:
    content = json.loads(kubeconfig("http://127.0.0.1:9"))
    content["contexts"][1]["context"]["namespace"] = "theirs"
    del content["current-context"]
    text, file = json.dumps(content), tmp_path / "kubeconfig"
    file.write_text(text, encoding="utf-8")
    access = ClusterAccess(text if given == "text" else str(file), context)
    assert connect(access, None, "doctor").namespace == namespace
    assert connect(access, "apps", "doctor").namespace == "apps"


def test_a_refusal_is_an_error_with_the_servers_words(server: str) -> None:
    cluster = connect(ClusterAccess(kubeconfig(server, token="t0ken")), "apps", "devices")
    with pytest.raises(ClusterError, match='Secret apps/db-1 cannot be read: 403 secrets "db-1" is forbidden'):
        cluster.find("Secret", "db-1")


def test_no_answer_is_an_error() -> None:
    cluster = connect(ClusterAccess(kubeconfig("http://127.0.0.1:9", token="t0ken")), "apps", "devices")
    with pytest.raises(ClusterError, match=r"Secret apps/db-0 cannot be read: .*refused"):
        cluster.find("Secret", "db-0")


def test_private_keys_are_not_left_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    certificate, key = (base64.b64encode(pem).decode() for pem in pair())
    text = kubeconfig("https://127.0.0.1:9", **{"client-certificate-data": certificate, "client-key-data": key})
    for _ in range(2):
        connect(ClusterAccess(text), "apps", "devices")
        assert list(tmp_path.iterdir()) == []


def pair() -> tuple[bytes, bytes]:
    """A certificate and its private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    today = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, today, today + datetime.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    return certificate, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


@pytest.mark.parametrize(
    ("access", "message"),
    [
        (ClusterAccess("/nowhere/config"), "the kubeconfig /nowhere/config cannot be used"),
        (ClusterAccess("{s3cr3t: [}"), "the kubeconfig given as text is not YAML"),
        (ClusterAccess("- s3cr3t\n"), "the kubeconfig given as text cannot be used: it is no mapping"),
        (ClusterAccess('{"contexts": [], "users": []}', "prod"), "given as text with context prod cannot be used: .*"),
        (
            ClusterAccess(),
            "the kubeconfig of the environment cannot be used: there is none, and this is no pod: set KUBECONFIG",
        ),
    ],
)
def test_no_way_to_the_cluster_is_an_error_that_says_where_it_was_looked_for(
    access: ClusterAccess, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterError, match=message) as failure:
        connect(access, "apps", "devices")
    assert "s3cr3t" not in str(failure.value)
    assert "s3cr3t" not in repr(access)


def test_many_threads_may_ask_at_once_and_nothing_is_said_of_it(server: str, caplog: pytest.LogCaptureFixture) -> None:
    access = ClusterAccess(kubeconfig(server, token="t0ken"))
    with connect(access, "apps", "doctor") as cluster, ThreadPoolExecutor(20) as pool:
        together = Barrier(20)

        def ask(_: int) -> object:
            together.wait(10)
            return cluster.find("Secret", "db-0")

        assert list(pool.map(ask, range(100))) == [{"kind": "Secret"}] * 100
    assert caplog.messages == []
