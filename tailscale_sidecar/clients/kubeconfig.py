"""The way to a cluster: which kubeconfig and context, in the terms of Pulumi's Kubernetes provider, and what is in them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from .errors import ClusterError

if TYPE_CHECKING:
    from kubernetes.client import Configuration

NO_KUBECONFIG = "there is none, and this is no pod: set KUBECONFIG, or give a kubeconfig"
_LOADING = threading.Lock()
"""kubernetes.config remembers its files for all threads."""


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

    @property
    def path(self) -> str | None:
        """Path of the kubeconfig, or of several as in KUBECONFIG; None is the ambient one."""
        return None if self.kubeconfig is None else str(Path(self.kubeconfig).expanduser())

    @property
    def is_the_pods_own(self) -> bool:
        """Whether there is no kubeconfig: then only a pod finds its cluster."""
        ambient = bool(os.environ.get("KUBECONFIG")) or Path("~/.kube/config").expanduser().exists()
        return self.kubeconfig is None and self.context is None and not ambient


@contextmanager
def loaded(access: ClusterAccess) -> Iterator[tuple[Configuration, str]]:
    """What the client has to know, and the context's namespace. Needs the package `kubernetes`.

    A kubeconfig's certificate and private key are in files, but only for as long as the block lasts.

    Raises:
        ClusterError: There is no such kubeconfig or context, or it is no kubeconfig.
    """
    from kubernetes import client, config  # noqa: PLC0415 - belong to an extra

    configuration = client.Configuration()
    with _LOADING, TemporaryDirectory() as folder:
        try:
            namespace = _load(access, config, {"client_configuration": configuration, "temp_file_path": folder})
        except yaml.YAMLError:  # its message would show a part of the kubeconfig
            raise ClusterError(f"{access} is not YAML") from None
        except (config.ConfigException, OSError, ValueError) as error:
            raise ClusterError(f"{access} cannot be used: {error}") from None
        yield configuration, namespace


def _load(access: ClusterAccess, config: Any, into: dict[str, Any]) -> str:
    """Loads a kubeconfig; returns the context's namespace."""
    if access.is_the_pods_own:
        try:
            config.load_incluster_config(client_configuration=into["client_configuration"])
        except config.ConfigException:
            raise ValueError(NO_KUBECONFIG) from None
        return "default"
    if access.kubeconfig is not None and access.is_text:
        content = yaml.safe_load(access.kubeconfig)
        if not isinstance(content, dict):
            raise ValueError("it is no mapping")
        config.load_kube_config_from_dict(content, context=access.context, **into)
        contexts = content["contexts"]
    else:
        config.load_kube_config(access.path, context=access.context, **into)
        kube_config = config.kube_config
        content = kube_config.KubeConfigMerger(access.path or kube_config.KUBE_CONFIG_DEFAULT_LOCATION).config.value
        contexts = [found.value for found in content["contexts"]]
    name = access.context or content["current-context"]
    context = next(found["context"] for found in contexts if found["name"] == name)
    return str(context.get("namespace", "default"))
