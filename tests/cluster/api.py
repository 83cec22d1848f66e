"""The API server's own opinion of an object, without storing it: over one connection, as fast as it can answer."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.lab.lab import tls

RESOURCES = {
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


@dataclass
class DryRun:
    """A connection to the API server. Call it in the lab's network."""

    server: str
    _connection: http.client.HTTPSConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPSConnection(urlsplit(self.server).netloc, context=tls(), timeout=30)

    def close(self) -> None:
        self._connection.close()

    def refuses(self, found: dict[str, Any]) -> list[str]:
        """Why the object could not be created (as by the first `pulumi up`) or applied (as by later ones)."""
        namespace = found["metadata"].get("namespace")
        path = "/" + RESOURCES[found["kind"]].format(namespace=f"namespaces/{namespace}/" if namespace else "")
        created = self._request("POST", f"{path}?{CHECKED}", "application/json", found)
        applied = self._request(
            "PATCH",
            f"{path}/{found['metadata']['name']}?{CHECKED}&force=true",
            "application/apply-patch+yaml",
            found,
        )
        return [f"{found['kind']} {verb}: {why}" for verb, why in (("created", created), ("applied", applied)) if why]

    def _request(self, method: str, path: str, kind: str, body: dict[str, Any]) -> str:
        text = json.dumps(body, ensure_ascii=False)
        self._connection.request(method, path, text.encode(), {"Content-Type": kind})
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        warnings = response.headers.get_all("Warning", [])
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            return f"{answer['message']}"
        return "; ".join(warnings)
