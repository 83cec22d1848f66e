"""Reads from the cluster by the library itself: by Pulumi, each would be a resource, and at `destroy` there is no program."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import yaml
from pulumi.output import Unknown

from . import _extra
from ._additions import Json

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

ANSWER_SECONDS = 30
"""How long the API server may take for one answer."""
NOT_FOUND = 404


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
    """One namespace of a cluster."""

    def __init__(self, api: ApiClient, namespace: str) -> None:
        from kubernetes import client  # noqa: PLC0415 - takes half a second

        core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
        self.namespace = namespace
        self._reads: Mapping[str, Callable[..., Any]] = {
            "Pod": core.read_namespaced_pod,
            "Secret": core.read_namespaced_secret,
            "Service": core.read_namespaced_service,
            "StatefulSet": apps.read_namespaced_stateful_set,
        }

    def find(self, kind: str, name: str) -> Json | None:
        """An object as the API server has it, or None.

        Raises:
            ClusterError: The API server cannot be reached, or refuses.
        """
        from kubernetes.client import ApiException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            answer = self._reads[kind](name, self.namespace, _preload_content=False, _request_timeout=ANSWER_SECONDS)
        except ApiException as error:
            if error.status == NOT_FOUND:
                return None
            raise ClusterError(
                f"{kind} {self.namespace}/{name} cannot be read: {error.status} {error.reason}"
            ) from None
        except HTTPError as error:
            raise ClusterError(f"{kind} {self.namespace}/{name} cannot be read: {error}") from None
        found: Json = json.loads(answer.data)
        return found


def connect(access: ClusterAccess, namespace: str, feature: str) -> Cluster:
    """Opens a way to a cluster; `feature` is what needs it.

    Raises:
        ClusterError: There is no such kubeconfig or context, or it is no kubeconfig.
        ExtraMissingError: The extra `devices` is not installed.
    """
    with _extra.needed_for(feature):
        from kubernetes import client, config  # noqa: PLC0415
    try:
        api = _client(access, client, config)
    except yaml.YAMLError:  # its message would show a part of the kubeconfig
        raise ClusterError(f"{access} is not YAML") from None
    except (config.ConfigException, OSError, ValueError) as error:
        raise ClusterError(f"{access} cannot be used: {error}") from None
    return Cluster(api, namespace)


def _client(access: ClusterAccess, client: Any, config: Any) -> ApiClient:
    found: ApiClient
    if access.kubeconfig is None and access.context is None and not _has_ambient_kubeconfig():
        configuration = client.Configuration()
        config.load_incluster_config(client_configuration=configuration)
        found = client.ApiClient(configuration)
    elif access.kubeconfig is not None and access.is_text:
        content = yaml.safe_load(access.kubeconfig)
        if not isinstance(content, dict):
            raise ValueError("it is no mapping")
        found = config.new_client_from_config_dict(content, context=access.context)
    else:
        path = None if access.kubeconfig is None else str(Path(access.kubeconfig).expanduser())
        found = config.new_client_from_config(path, context=access.context)
    return found


def _has_ambient_kubeconfig() -> bool:
    return bool(os.environ.get("KUBECONFIG")) or Path("~/.kube/config").expanduser().exists()
