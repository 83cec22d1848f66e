"""The API server, asked over connections that stay open: what is waited for costs a request each time, not a program."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import urllib3

from tests.lab import Lab, LabError, pki

RESOURCES = {
    "ConfigMap": "api/v1/{namespace}configmaps",
    "Event": "api/v1/{namespace}events",
    "Namespace": "api/v1/namespaces",
    "PersistentVolumeClaim": "api/v1/{namespace}persistentvolumeclaims",
    "Pod": "api/v1/{namespace}pods",
    "Role": "apis/rbac.authorization.k8s.io/v1/{namespace}roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/{namespace}rolebindings",
    "Secret": "api/v1/{namespace}secrets",
    "Service": "api/v1/{namespace}services",
    "ServiceAccount": "api/v1/{namespace}serviceaccounts",
    "StatefulSet": "apis/apps/v1/{namespace}statefulsets",
    "ValidatingAdmissionPolicy": "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
CHECKED = "dryRun=All&fieldValidation=Strict&fieldManager=test"
BAD, NOT_FOUND = 400, 404
"""HTTP statuses: from where on an answer is an error, and that of no such object."""


class Api:
    """The API server, as the administrator. Call it in the lab's network."""

    def __init__(self, lab: Lab) -> None:
        self._server = lab.api_server
        self._pool = urllib3.PoolManager(
            ca_certs=str(lab.certificate_authority),
            cert_file=str(pki.certificate("admin")),
            key_file=str(pki.private_key("admin")),
            timeout=30,
            retries=urllib3.Retry(2, allowed_methods=None),
        )

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
        return list(checked(self._request("GET", path(kind, namespace), {"labelSelector": selector})).json()["items"])

    def logs(self, pod: str, namespace: str, container: str, *, previous: bool = False) -> str:
        """A container's log."""
        fields = {"container": container, "previous": str(previous).lower()}
        return checked(self._request("GET", f"{path('Pod', namespace)}/{pod}/log", fields)).data.decode()

    def is_gone(self, kind: str, name: str, namespace: str | None = None) -> bool:
        """Whether there is no such object any more."""
        return self._request("GET", f"{path(kind, namespace)}/{name}").status == NOT_FOUND

    def metrics(self) -> str:
        """What the API server counts, in Prometheus' text format."""
        return checked(self._request("GET", "/metrics")).data.decode()

    def create(self, found: dict[str, Any]) -> None:
        """Creates an object."""
        body = json.dumps(found).encode()
        url = self._server + path(found["kind"], found["metadata"].get("namespace"))
        checked(self._pool.request("POST", url, body=body, headers={"Content-Type": "application/json"}))

    def refuses(self, found: dict[str, Any]) -> list[str]:
        """Why the object could not be created (as by the first `pulumi up`) or applied (as by later ones)."""
        resource = path(found["kind"], found["metadata"].get("namespace"))
        named = f"{resource}/{found['metadata']['name']}?{CHECKED}&force=true"
        body = json.dumps(found, ensure_ascii=False).encode()
        created = self._send("POST", f"{resource}?{CHECKED}", "application/json", body)
        applied = self._send("PATCH", named, "application/apply-patch+yaml", body)
        return [f"{found['kind']} {verb}: {why}" for verb, why in (("created", created), ("applied", applied)) if why]

    def _request(self, method: str, url: str, fields: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, self._server + url, fields=fields)
        except urllib3.exceptions.HTTPError as error:
            raise LabError(f"the API server does not answer: {error}") from error

    def _send(self, method: str, url: str, kind: str, body: bytes) -> str:
        answer = self._pool.request(method, self._server + url, body=body, headers={"Content-Type": kind})
        return str(answer.json()["message"]) if answer.status >= BAD else "; ".join(answer.headers.getlist("Warning"))


def path(kind: str, namespace: str | None) -> str:
    """Where the API server has the objects of a kind."""
    return "/" + RESOURCES[kind].format(namespace=f"namespaces/{namespace}/" if namespace else "")


def checked(answer: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
    """The answer, unless it is an error."""
    if answer.status >= BAD:
        raise LabError(f"the API server says {answer.status}: {answer.data.decode()}")
    return answer
