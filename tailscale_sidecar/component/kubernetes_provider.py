"""Pulumi's Kubernetes provider: the way to the cluster that it takes, for what the library reads by itself."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.output import Unknown

from ..clients.kubeconfig import ClusterAccess


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
