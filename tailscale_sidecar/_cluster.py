"""Reads from the cluster by the library itself: by Pulumi, each would be a resource, and at `destroy` there is no program."""

from __future__ import annotations

import os
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pulumi
import yaml
from pulumi.output import Unknown

from . import _extra
from ._additions import Json

if TYPE_CHECKING:
    from kubernetes.client import Configuration
    from urllib3 import PoolManager

ANSWER_SECONDS = 30
"""How long the API server may take for one answer."""
OK, NOT_FOUND = 200, 404
PATHS = {
    "Pod": "/api/v1/namespaces/{namespace}/pods/{name}",
    "Secret": "/api/v1/namespaces/{namespace}/secrets/{name}",
    "Service": "/api/v1/namespaces/{namespace}/services/{name}",
    "StatefulSet": "/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}",
}
"""Where the API server has what is read here."""
_LOADING = threading.Lock()
"""kubernetes.config remembers its files for all threads."""


class ClusterError(Exception):
    """The cluster cannot be read; the message says where and why."""


@dataclass(frozen=True)
class ClusterAccess:
    """A way to the cluster, in the terms of Pulumi's Kubernetes provider."""

    kubeconfig: str | None = field(default=None, repr=False)
    """Path or contents of a kubeconfig; None is the ambient one: KUBECONFIG, `~/.kube/config`, or the pod's own."""
    context: str | None = None
    """Name of the context; None is the kubeconfig's current one."""

    def __str__(self) -> str:
        where = (
            "of the environment" if self.kubeconfig is None else "given as text" if self.is_text else self.kubeconfig
        )
        return f"the kubeconfig {where}" + (f" with context {self.context}" if self.context else "")

    @property
    def is_text(self) -> bool:
        """Whether the kubeconfig is not the path of one."""
        return self.kubeconfig is not None and ("\n" in self.kubeconfig or self.kubeconfig.lstrip().startswith("{"))


def access_of(component: pulumi.ComponentResource) -> pulumi.Output[ClusterAccess]:
    """The way that the component's Kubernetes provider takes."""
    provider = component.get_provider("kubernetes:core/v1:Secret")
    if provider is None:
        config = pulumi.Config("kubernetes")
        return pulumi.Output.from_input(ClusterAccess(config.get("kubeconfig"), config.get("context")))
    # In a preview, Pulumi says the same of a setting that is not there as of one that is not known yet.
    settings = [
        pulumi.get(provider, name).apply(_none_if_unknown, run_with_unknowns=True) for name in ("kubeconfig", "context")
    ]
    return pulumi.Output.all(*settings).apply(lambda found: ClusterAccess(*found))


def _none_if_unknown(value: Any) -> Any:
    return None if isinstance(value, Unknown) else value


class Cluster:
    """One namespace of a cluster. Threads may share one."""

    def __init__(self, configuration: Configuration, pool: PoolManager, namespace: str) -> None:
        self.namespace = namespace
        self._configuration = configuration
        self._pool = pool

    def find(self, kind: str, name: str) -> Json | None:
        """An object as the API server has it, or None.

        Raises:
            ClusterError: The API server cannot be reached, or refuses.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - belongs to the extra

        settings: Any = self._configuration.auth_settings().values()
        url = self._configuration.host + PATHS[kind].format(namespace=self.namespace, name=name)
        try:
            answer = self._pool.request(
                "GET",
                url,
                headers={setting["key"]: setting["value"] for setting in settings},
                timeout=ANSWER_SECONDS,
                redirect=False,
            )
            found: Json = answer.json()
        except (HTTPError, ValueError) as error:
            raise ClusterError(f"{kind} {self.namespace}/{name} cannot be read: {error}") from None
        if answer.status == NOT_FOUND:
            return None
        if answer.status != OK:
            why = f"{answer.status} {found.get('message', answer.reason)}"
            raise ClusterError(f"{kind} {self.namespace}/{name} cannot be read: {why}")
        return found


def connect(access: ClusterAccess, namespace: str, feature: str) -> Cluster:
    """Opens a way to a cluster; `feature` is what needs it.

    Raises:
        ClusterError: There is no such kubeconfig or context, or it is no kubeconfig.
        ExtraMissingError: The extra `devices` is not installed.
    """
    with _extra.needed_for(feature):
        from kubernetes import client, config  # noqa: PLC0415 - belong to the extra
    configuration = client.Configuration()
    # kubernetes writes a kubeconfig's certificate and private key to files, and would leave them there.
    with _LOADING, TemporaryDirectory() as folder:
        try:
            _load(access, config, configuration, folder)
            pool = client.ApiClient(configuration).rest_client.pool_manager
            _take_certificates(pool.connection_pool_kw)
        except yaml.YAMLError:  # its message would show a part of the kubeconfig
            raise ClusterError(f"{access} is not YAML") from None
        except (config.ConfigException, OSError, ValueError) as error:
            raise ClusterError(f"{access} cannot be used: {error}") from None
    return Cluster(configuration, pool, namespace)


def _load(access: ClusterAccess, config: Any, configuration: Configuration, folder: str) -> None:
    files = {"client_configuration": configuration, "temp_file_path": folder}
    if access.kubeconfig is None and access.context is None and not _has_ambient_kubeconfig():
        config.load_incluster_config(client_configuration=configuration)
    elif access.kubeconfig is not None and access.is_text:
        content = yaml.safe_load(access.kubeconfig)
        if not isinstance(content, dict):
            raise ValueError("it is no mapping")
        config.load_kube_config_from_dict(content, context=access.context, **files)
    else:
        path = None if access.kubeconfig is None else str(Path(access.kubeconfig).expanduser())
        config.load_kube_config(path, context=access.context, **files)


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


def _has_ambient_kubeconfig() -> bool:
    return bool(os.environ.get("KUBECONFIG")) or Path("~/.kube/config").expanduser().exists()
