"""The API server, asked over connections that stay open: what is waited for costs a request each time, not a program."""

from __future__ import annotations

import json
import re
import shlex
import ssl
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import urlencode

import urllib3
from websocket import ABNF, WebSocketException, create_connection

from tests.lab import Lab, LabError, pki

VERSIONS = {
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "StatefulSet": "apps/v1",
    "ValidatingAdmissionPolicy": "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding": "admissionregistration.k8s.io/v1",
}
"""Of the kinds that are looked for; else v1."""
CLUSTER_SCOPED = re.compile(
    r"Namespace|PersistentVolume|ClusterRole(Binding)?|CustomResourceDefinition|\w+AdmissionPolicy(Binding)?"
)
CHECKED = "dryRun=All&fieldValidation=Strict&fieldManager=test"
AS_KUBECTL = "fieldValidation=Strict&fieldManager=kubectl&force=true"
"""How `kubectl apply --server-side --force-conflicts` asks."""
EXEC_SECONDS = 120
STDOUT, STDERR, STATUS = 1, 2, 3
"""Channels of the protocol `v4.channel.k8s.io`; the last has a Status at the end (k8s.io/apimachinery, pkg/util/remotecommand)."""
BAD, NOT_FOUND = 400, 404
"""HTTP statuses: from where on an answer is an error, and that of no such object."""


class Api:
    """The API server, as the administrator. Call it in the lab's network."""

    def __init__(self, lab: Lab) -> None:
        self._server = lab.api_server
        self._tls = ssl.create_default_context(cafile=lab.certificate_authority)
        self._tls.load_cert_chain(pki.certificate("admin"), pki.private_key("admin"))
        retries = urllib3.Retry(2, allowed_methods=None)
        self._pool = urllib3.PoolManager(ssl_context=self._tls, timeout=30, retries=retries)

    @staticmethod
    @cache
    def of(lab: Lab) -> Api:
        """The one of a lab."""
        return Api(lab)

    def find(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """An object, or None if there is none."""
        answer = self._request("GET", f"{path(kind, namespace)}/{name}")
        return None if answer.status == NOT_FOUND else dict(checked(answer).json())

    def find_all(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """All objects of a kind that a label selector finds."""
        fields = {"labelSelector": selector}
        return list(checked(self._request("GET", path(kind, namespace), fields=fields)).json()["items"])

    def logs(self, pod: str, namespace: str, container: str, *, previous: bool = False) -> str:
        """A container's log."""
        fields = {"container": container, "previous": str(previous).lower()}
        return checked(self._request("GET", f"{path('Pod', namespace)}/{pod}/log", fields=fields)).data.decode()

    def is_gone(self, kind: str, name: str, namespace: str | None = None) -> bool:
        """Whether there is no such object any more."""
        return self._request("GET", f"{path(kind, namespace)}/{name}").status == NOT_FOUND

    def metrics(self) -> str:
        """What the API server counts, in Prometheus' text format."""
        return checked(self._request("GET", "/metrics")).data.decode()

    def create(self, found: dict[str, Any]) -> None:
        """Creates an object."""
        checked(self._send("POST", path_of(found), "application/json", json.dumps(found).encode()))

    def apply(self, found: dict[str, Any], namespace: str) -> None:
        """Creates an object or changes it, as `kubectl apply --server-side` does; its own namespace wins."""
        url = f"{path_of(found, namespace)}/{found['metadata']['name']}?{AS_KUBECTL}"
        checked(self._send("PATCH", url, "application/apply-patch+yaml", json.dumps(found).encode()))

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Has an object deleted, and does not wait for that; there may be none."""
        answer = self._request("DELETE", f"{path(kind, namespace)}/{name}")
        if answer.status != NOT_FOUND:
            checked(answer)

    def exec(self, pod: str, namespace: str, container: str, command: Sequence[str]) -> str:
        """Runs a command in a container; returns what it prints.

        Raises:
            LabError: It cannot be run, or fails; the message has what it printed.
        """
        query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", w) for w in command)]
        url = f"{self._server}{path('Pod', namespace)}/{pod}/exec?{urlencode(query)}".replace("https", "wss", 1)
        try:
            said = self._streams(url)
        except (WebSocketException, OSError) as error:
            raise LabError(f"exec in {pod}/{container}: {error}") from error
        status = json.loads(said[STATUS] or "{}")
        if status.get("status") != "Success":
            why = status.get("message", "the connection was closed")
            printed = "\n  ".join((said[STDOUT] + said[STDERR]).decode(errors="replace").splitlines()[-15:])
            raise LabError(f"`{shlex.join(command)}` in {pod}/{container}: {why}:\n  {printed}")
        return said[STDOUT].decode(errors="replace")

    def _streams(self, url: str) -> dict[int, bytes]:
        """What comes on each channel until the server closes the connection."""
        options: dict[str, Any] = {"sslopt": {"context": self._tls}, "http_no_proxy": ["*"], "timeout": EXEC_SECONDS}
        connection = create_connection(url, subprotocols=["v4.channel.k8s.io"], **options)
        said = {STDOUT: b"", STDERR: b"", STATUS: b""}
        try:
            while (received := connection.recv_data())[0] != ABNF.OPCODE_CLOSE:
                said[received[1][0]] += received[1][1:]
        finally:
            connection.shutdown()  # type: ignore[no-untyped-call] # close() would wait for an answer
        return said

    def refuses(self, found: dict[str, Any]) -> list[str]:
        """Why the object could not be created (as by the first `pulumi up`) or applied (as by later ones)."""
        resource = path_of(found)
        named = f"{resource}/{found['metadata']['name']}?{CHECKED}&force=true"
        body = json.dumps(found, ensure_ascii=False).encode()
        created = objection(self._send("POST", f"{resource}?{CHECKED}", "application/json", body))
        applied = objection(self._send("PATCH", named, "application/apply-patch+yaml", body))
        return [f"{found['kind']} {verb}: {why}" for verb, why in (("created", created), ("applied", applied)) if why]

    def _request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, self._server + url, **options)
        except urllib3.exceptions.HTTPError as error:
            raise LabError(f"the API server does not answer: {error}") from error

    def _send(self, method: str, url: str, kind: str, body: bytes) -> urllib3.BaseHTTPResponse:
        return self._request(method, url, body=body, headers={"Content-Type": kind})


def path(kind: str, namespace: str | None, version: str = "") -> str:
    """Where the API server has the objects of a kind."""
    version = version or VERSIONS.get(kind, "v1")
    place = f"/namespaces/{namespace}" if namespace and not CLUSTER_SCOPED.fullmatch(kind) else ""
    plural = kind.lower().removesuffix("y") + ("ies" if kind.endswith("y") else "s")
    return f"/{'apis' if '/' in version else 'api'}/{version}{place}/{plural}"


def path_of(found: dict[str, Any], namespace: str | None = None) -> str:
    """The same for an object."""
    return path(found["kind"], found["metadata"].get("namespace", namespace), found["apiVersion"])


def checked(answer: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
    """The answer, unless it is an error."""
    if answer.status >= BAD:
        raise LabError(f"the API server says {answer.status}: {answer.data.decode()}")
    return answer


def objection(answer: urllib3.BaseHTTPResponse) -> str:
    """What the API server has against an object; nothing if it takes it without a warning."""
    return str(answer.json()["message"]) if answer.status >= BAD else "; ".join(answer.headers.getlist("Warning"))
