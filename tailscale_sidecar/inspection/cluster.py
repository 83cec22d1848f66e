"""A Kubernetes cluster, looked at and never changed: lists in pages, logs, commands in containers, access reviews."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from .._additions import Json

if TYPE_CHECKING:
    from kubernetes import client

PAGE = 500
"""Objects in a page, as kubectl asks for them."""
TIMEOUT = 30
"""Seconds for each request."""
KINDS = {
    "ConfigMap": ("CoreV1Api", "config_map"),
    "DaemonSet": ("AppsV1Api", "daemon_set"),
    "Deployment": ("AppsV1Api", "deployment"),
    "Event": ("CoreV1Api", "event"),
    "Namespace": ("CoreV1Api", "namespace"),
    "Node": ("CoreV1Api", "node"),
    "Pod": ("CoreV1Api", "pod"),
    "Role": ("RbacAuthorizationV1Api", "role"),
    "RoleBinding": ("RbacAuthorizationV1Api", "role_binding"),
    "Secret": ("CoreV1Api", "secret"),
    "Service": ("CoreV1Api", "service"),
    "ServiceCIDR": ("NetworkingV1Api", "service_cidr"),
    "StatefulSet": ("AppsV1Api", "stateful_set"),
}
"""The API class of each kind, and how the names of its methods call it."""
CLUSTER_SCOPED = ("Namespace", "Node", "ServiceCIDR")


class ClusterError(Exception):
    """The cluster cannot be reached, or does not allow a request."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status; 0 if there was no answer."""


@dataclass(frozen=True)
class Cluster:
    """Access to one cluster, as the kubeconfig or the pod's ServiceAccount gives it. Objects are plain JSON.

    Leave it by `with`, which closes its connections.
    """

    configuration: client.Configuration
    namespace: str
    """That of the context."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.rest_client.pool_manager.clear()
        self._client.close()

    @cached_property
    def _client(self) -> client.ApiClient:
        """One for all requests: it keeps connections open."""
        from kubernetes import client  # noqa: PLC0415 - an extra

        return client.ApiClient(self.configuration)

    @staticmethod
    def connect(kubeconfig: str | None = None, context: str | None = None) -> Cluster:
        """Reads the kubeconfig ($KUBECONFIG unless given), or what a pod finds. Nothing is asked of the cluster yet.

        Raises:
            ClusterError: There is no usable configuration, or the client is not installed.
        """
        try:
            from kubernetes import client, config  # noqa: PLC0415 - an extra, and only some commands need it
        except ImportError:
            raise ClusterError("the Kubernetes client is missing: pip install 'tailscale-sidecar[doctor]'") from None
        configuration = client.Configuration()
        configuration.retries = 1
        try:
            config.load_kube_config(kubeconfig, context, configuration, persist_config=False)
            contexts, active = config.list_kube_config_contexts(kubeconfig)
            chosen = next((found for found in contexts if found["name"] == context), active)
            return Cluster(configuration, str(chosen["context"].get("namespace", "default")))
        except config.ConfigException as error:
            if kubeconfig is not None or context is not None:
                raise ClusterError(str(error)) from None
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            raise ClusterError("no cluster is configured: give --kubeconfig, or set KUBECONFIG") from None
        return Cluster(configuration, "default")

    def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        """All objects of a kind, of one namespace or of all; none where the cluster does not know the kind.

        Raises:
            ClusterError: They cannot be listed.
        """
        api, noun = KINDS[kind]
        place = [] if namespace is None or kind in CLUSTER_SCOPED else [namespace]
        everywhere = f"list_{noun}" if kind in CLUSTER_SCOPED else f"list_{noun}_for_all_namespaces"
        method = f"list_namespaced_{noun}" if place else everywhere
        found: list[Json] = []
        page = ""
        while True:
            try:
                answer = self._ask(
                    api, method, *place, label_selector=labels, field_selector=fields, limit=PAGE, _continue=page
                )
            except ClusterError as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return []
                raise
            found += answer["items"]
            page = answer["metadata"].get("continue", "")
            if not page:
                return [{**item, "kind": kind} for item in found]

    def find(self, kind: str, name: str, namespace: str = "") -> Json | None:
        """One object, or None if there is none.

        Raises:
            ClusterError: It cannot be read.
        """
        api, noun = KINDS[kind]
        try:
            if kind in CLUSTER_SCOPED:
                return self._ask(api, f"read_{noun}", name)
            return self._ask(api, f"read_namespaced_{noun}", name, namespace)
        except ClusterError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def version(self) -> tuple[int, int]:
        """The API server's release, such as (1, 35)."""
        answer = self._ask("VersionApi", "get_code")
        return int(answer["major"]), int("".join(c for c in answer["minor"] if c.isdigit()))

    def my_rules(self, namespace: str) -> Json:
        """What the caller may do in a namespace: the status of a SelfSubjectRulesReview."""
        review = {"spec": {"namespace": namespace}}
        return dict(self._ask("AuthorizationV1Api", "create_self_subject_rules_review", review)["status"])

    def may_i(self, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        """Whether the caller may do one thing, by a SelfSubjectAccessReview."""
        wanted = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = {"spec": {"resourceAttributes": wanted}}
        answer = self._ask("AuthorizationV1Api", "create_self_subject_access_review", review)
        return bool(answer["status"]["allowed"])

    def logs(self, pod: str, namespace: str, container: str, *, previous: bool = False, lines: int = 60) -> str:
        """The end of a container's log, or of the one before its last restart; nothing if there is none."""
        try:
            answer = self._call(
                *("CoreV1Api", "read_namespaced_pod_log", pod, namespace),
                container=container,
                previous=previous,
                tail_lines=lines,
            )
        except ClusterError as error:
            if error.status == HTTPStatus.BAD_REQUEST:  # it has not started yet, or was not restarted
                return ""
            raise
        return str(answer.data.decode(errors="replace"))

    def exec(self, pod: str, namespace: str, container: str, command: Sequence[str], *, seconds: float) -> str:
        """Runs a command in a container; returns what it prints on stdout, as far as it came in that time.

        Raises:
            ClusterError: It could not be started.
        """
        from kubernetes import client, stream  # noqa: PLC0415 - an extra
        from websocket import WebSocketException  # noqa: PLC0415 - as above

        # stream() puts itself into the ApiClient for as long as the call lasts: each thread needs its own.
        api = client.CoreV1Api(client.ApiClient(self.configuration))
        try:
            connection = stream.stream(
                *(api.connect_get_namespaced_pod_exec, pod, namespace),
                container=container,
                command=list(command),
                stdout=True,
                stderr=False,
                _preload_content=False,
            )
            try:
                connection.run_forever(timeout=seconds)
                return str(connection.read_stdout() if connection.peek_stdout() else "")
            finally:
                connection.sock.shutdown()  # close() leaves the socket open where the other side was first
        except (client.ApiException, WebSocketException, OSError) as error:
            raise ClusterError(f"exec in {pod}/{container}: {error}") from None

    def _ask(self, api: str, method: str, *arguments: Any, **options: Any) -> Json:
        answer = self._call(api, method, *arguments, **options)
        return dict(json.loads(answer.data))

    def _call(self, api: str, method: str, *arguments: Any, **options: Any) -> Any:
        """Calls a generated method for its raw answer: to make models of a thousand pods takes longer than to list them."""
        from kubernetes import client  # noqa: PLC0415 - an extra
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - as above

        call: Callable[..., Any] = getattr(getattr(client, api)(self._client), method)
        given = {name: value for name, value in options.items() if value not in ("", None)}
        try:
            return call(*arguments, **given, _preload_content=False, _request_timeout=TIMEOUT)
        except client.ApiException as error:
            raise ClusterError(reason(error.status or 0, error.reason, error.body), error.status or 0) from None
        except HTTPError as error:
            raise ClusterError(f"{self.configuration.host} does not answer: {error}") from None


def reason(status: int, phrase: str | None, body: Any) -> str:
    """What the API server says is wrong, else the HTTP status."""
    try:
        return str(json.loads(body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{status} {phrase}" if status else str(phrase)
