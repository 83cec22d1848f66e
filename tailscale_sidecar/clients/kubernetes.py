"""The one way to a Kubernetes cluster, which is read and never changed; for what is not Pulumi's to read.

Through Pulumi each read would be a resource, and at `destroy`, as in `doctor` and `preflight`, there is no program.
"""

from __future__ import annotations

import copy
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from ..pod.objects import Json
from . import extras
from .errors import ClusterError
from .kubeconfig import ClusterAccess, loaded

if TYPE_CHECKING:
    from kubernetes.client import Configuration
    from urllib3 import BaseHTTPResponse, PoolManager

ANSWER_SECONDS = 30
"""How long the API server may take for one answer."""
RETRIES = 1
"""Further attempts where the API server does not answer."""
CONNECTIONS = 64
"""Kept open for further requests: more than there are threads that ask, else urllib3 warns of each that it closes."""
PAGE = 500
"""Objects in a page, as kubectl asks for them."""
KINDS = {
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Event": ("/api/v1", "events"),
    "Job": ("/apis/batch/v1", "jobs"),
    "MutatingAdmissionPolicy": ("/apis/admissionregistration.k8s.io/v1", "mutatingadmissionpolicies"),
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "Pod": ("/api/v1", "pods"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "ServiceCIDR": ("/apis/networking.k8s.io/v1", "servicecidrs"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
}
"""Where the API server has what is read here."""
CLUSTER_SCOPED = ("ClusterRole", "ClusterRoleBinding", "MutatingAdmissionPolicy", "Namespace", "Node", "ServiceCIDR")
CERTIFICATES = ("ssl_ca_cert", "cert_file", "key_file")
"""Settings of the client that are paths of files."""


def connect(access: ClusterAccess, namespace: str | None, feature: str) -> Cluster:
    """Opens a way to a cluster, of which nothing is asked yet.

    Args:
        access: The way.
        namespace: Where to look unless told otherwise; None is the context's.
        feature: What needs it.

    Raises:
        ClusterError: There is no such kubeconfig or context, or it is no kubeconfig.
        ExtraMissingError: The extra is not installed.
    """
    with extras.with_client(feature).needed_for(feature):
        from kubernetes import client  # noqa: PLC0415 - belongs to the extra
    with loaded(access) as (configuration, of_context):
        configuration.retries = RETRIES
        configuration.connection_pool_maxsize = CONNECTIONS
        try:
            certificates = {
                name: Path(path).read_bytes() for name in CERTIFICATES if (path := getattr(configuration, name))
            }
            pool = client.ApiClient(configuration).rest_client.pool_manager
            _take_certificates(pool.connection_pool_kw)
        except (OSError, ValueError) as error:
            raise ClusterError(f"{access} cannot be used: {error}") from None
    return Cluster(configuration, certificates, pool, namespace or of_context)


class Cluster:
    """A cluster, and a namespace of it. Objects are plain JSON. Threads may share one; `with` closes its connections."""

    def __init__(
        self, configuration: Configuration, certificates: Mapping[str, bytes], pool: PoolManager, namespace: str
    ) -> None:
        self.namespace = namespace
        self._configuration = configuration
        self._certificates = certificates
        self._pool = pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.clear()

    def find(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        """An object as the API server has it, or None.

        Raises:
            ClusterError: The API server cannot be reached, or refuses.
        """
        namespace = namespace or self.namespace
        try:
            return self._ask("GET", f"{_path(kind, namespace)}/{name}")
        except ClusterError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            what = name if kind in CLUSTER_SCOPED else f"{namespace}/{name}"
            raise ClusterError(f"{kind} {what} cannot be read: {error}", error.status) from None

    def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        """All objects of a kind, of one namespace or of all; none where the cluster does not know the kind.

        Raises:
            ClusterError: They cannot be listed.
        """
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": str(PAGE), "continue": ""}
        found: list[Json] = []
        while True:
            try:
                answer = self._ask("GET", _path(kind, namespace), query)
            except ClusterError as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return []
                raise
            found += answer["items"]
            query["continue"] = answer["metadata"].get("continue", "")
            if not query["continue"]:
                return [{**item, "kind": kind} for item in found]

    def version(self) -> tuple[int, int]:
        """The API server's release, such as (1, 35)."""
        answer = self._ask("GET", "/version/")
        return int(answer["major"]), int("".join(c for c in answer["minor"] if c.isdigit()))

    def would_make(self, found: Json, namespace: str) -> Json:
        """An object as the API server would make it: a dry run, which makes nothing.

        Raises:
            ClusterError: It would not; the message begins with the status.
        """
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        return self._ask("POST", _path(found["kind"], namespace), query, found)

    def my_rules(self, namespace: str) -> Json:
        """What the caller may do in a namespace: the status of a SelfSubjectRulesReview."""
        return self._review("SelfSubjectRulesReview", {"namespace": namespace})

    def may_i(self, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        """Whether the caller may do one thing, by a SelfSubjectAccessReview."""
        wanted = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        return bool(self._review("SelfSubjectAccessReview", {"resourceAttributes": wanted})["allowed"])

    def logs(self, pod: str, namespace: str, container: str, *, previous: bool = False, lines: int = 60) -> str:
        """The end of a container's log, or of the one before its last restart; nothing if there is none."""
        query = {"container": container, "previous": str(previous).lower(), "tailLines": str(lines)}
        try:
            answer = self._request("GET", f"{_path('Pod', namespace)}/{pod}/log", query)
        except ClusterError as error:
            if error.status == HTTPStatus.BAD_REQUEST:  # it has not started yet, or was not restarted
                return ""
            raise
        return answer.data.decode(errors="replace")

    def exec(self, pod: str, namespace: str, container: str, command: Sequence[str], *, seconds: float) -> str:
        """Runs a command in a container; returns what it prints on stdout, as far as it came in that time.

        Raises:
            ClusterError: It could not be started.
        """
        # stream() would load the models of all kinds, which takes longer than all else that `doctor` does.
        from kubernetes.stream.ws_client import WSClient, get_websocket_url  # noqa: PLC0415 - belong to the extra
        from websocket import WebSocketException  # noqa: PLC0415 - as above

        words = [("command", word) for word in command]
        query = [*words, ("container", container), ("stdout", "true"), ("stderr", "false")]
        url = get_websocket_url(f"{self._configuration.host}{_path('Pod', namespace)}/{pod}/exec", query)
        try:
            with self._with_certificates() as configuration:
                connection = WSClient(configuration, url, self._authorization(), capture_all=False)
            try:
                connection.run_forever(timeout=seconds)
                return str(connection.read_stdout() if connection.peek_stdout() else "")
            finally:
                connection.sock.shutdown()  # close() leaves the socket open where the other side was first
        except (WebSocketException, OSError) as error:
            raise ClusterError(f"exec in {pod}/{container}: {error}") from None

    @contextmanager
    def _with_certificates(self) -> Iterator[Configuration]:
        """The configuration with its certificates in files, as a WebSocket's client reads them."""
        configuration = copy.copy(self._configuration)
        with TemporaryDirectory() as folder:
            for name, content in self._certificates.items():
                path = Path(folder, name)
                path.write_bytes(content)
                setattr(configuration, name, str(path))
            yield configuration

    def _authorization(self) -> dict[str, str]:
        """The header that says who asks; its token is made anew, if it has to be."""
        settings: Any = self._configuration.auth_settings().values()
        return {setting["key"]: setting["value"] for setting in settings}

    def _review(self, kind: str, spec: Json) -> Json:
        """The status of a review, which makes nothing that lasts."""
        group = "authorization.k8s.io/v1"
        review = {"apiVersion": group, "kind": kind, "spec": spec}
        answer = self._ask("POST", f"/apis/{group}/{kind.lower()}s", body=review)
        return dict(answer["status"])

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Json | None = None) -> Json:
        answer = self._request(method, path, query, body)
        try:
            return dict(answer.json())
        except ValueError as error:
            raise ClusterError(f"{self._configuration.host} does not answer as an API server: {error}") from None

    def _request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> BaseHTTPResponse:
        """One request. Objects stay JSON: to make a client's models of a thousand pods takes longer than to list them."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - belongs to the extra

        given = {key: value for key, value in (query or {}).items() if value}
        try:
            answer = self._pool.request(
                method,
                f"{self._configuration.host}{path}" + (f"?{urlencode(given)}" if given else ""),
                json=body,
                headers=self._authorization(),
                timeout=ANSWER_SECONDS,
                redirect=False,
            )
        except HTTPError as error:
            raise ClusterError(f"{self._configuration.host} does not answer: {error}") from None
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ClusterError(f"{answer.status} {_message(answer)}", answer.status)
        return answer


def _path(kind: str, namespace: str | None) -> str:
    """Where the objects of a kind are, in one namespace or in all."""
    root, plural = KINDS[kind]
    place = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_SCOPED else ""
    return f"{root}{place}/{plural}"


def _message(answer: BaseHTTPResponse) -> str:
    """What the API server says is wrong, else the status in words."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return str(answer.reason)


def _take_certificates(settings: dict[str, Any]) -> None:
    """Reads the files that settings of urllib3 name, now and for all connections."""
    from urllib3.util.ssl_ import create_urllib3_context  # noqa: PLC0415 - belongs to the extra

    authorities, certificate, key = (settings.pop(name, None) for name in ("ca_certs", "cert_file", "key_file"))
    context = create_urllib3_context(cert_reqs=settings["cert_reqs"])
    if authorities:
        context.load_verify_locations(authorities)
    elif settings["cert_reqs"] == ssl.CERT_REQUIRED:
        context.load_default_certs()
    if certificate:
        context.load_cert_chain(certificate, key)
    settings["ssl_context"] = context
