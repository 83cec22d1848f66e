"""A StatefulSet made by hand as the component's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..inspection.workload import Workload
from ..pod import rules
from ..pod.contract import BURST_REPLICAS
from ..pod.objects import Json
from . import kubernetes_defaults
from .app_pod_spec import own_pod
from .auth import auth
from .sidecar_settings import settings
from .state import own_claims, state
from .translation import Translation, note, total

TOOLS = ("kubectl.kubernetes.io/", "deployment.kubernetes.io/")
"""Annotations that tools make for themselves. One of kubectl's has the whole manifest, secrets included."""


OVERTAKEN = ("kubectl", "before-first-apply", "pulumi")
"""Field managers, by how they begin, from which Pulumi takes everything over by itself
(pulumi-kubernetes@v4.32.0 provider/pkg/await/await.go, fixCSAFieldManagers)."""
FORCE: Json = {"pulumi.com/patchForce": "true"}
"""Takes over what any other field manager has."""


class CannotAdoptError(Exception):
    """The component is not for this workload, or its replicas would become other devices; the message says why."""


def describe(workload: Workload, cluster_cidrs: Sequence[str], spare: int = 0) -> Translation:
    """The arguments, with what has to be known and done.

    Args:
        workload: A StatefulSet that runs Tailscale as a sidecar.
        cluster_cidrs: The cluster's pod and service CIDRs, as far as they are known.
        spare: State Secrets that are there beyond the replicas: it was scaled down.

    Raises:
        CannotAdoptError: It is none that the component can describe.
    """
    refuse(workload)
    return total(
        around_the_pods(workload),
        metadata(workload),
        own_pod(workload),
        auth(workload),
        state(workload, spare),
        settings(workload, cluster_cidrs),
        service_account(workload),
    )


def refuse(workload: Workload) -> None:
    """Raises CannotAdoptError, or ValueError, for what the component does not make."""
    for field, name in (("metadata.name", workload.name), ("metadata.namespace", workload.namespace)):
        rules.object_name(name, field)
    if workload.kind != "StatefulSet":
        raise CannotAdoptError(
            f"{workload.ref} is no StatefulSet: its pods have no lasting names, and no lasting devices"
        )
    if workload.is_component:
        raise CannotAdoptError(
            f"{workload.ref} was made with this component. Where Pulumi's state was lost, import it: "
            "docs/protection.md#take-over-what-is-there"
        )
    first = (workload.manifest["spec"].get("ordinals") or {}).get("start", 0)
    if first:
        raise CannotAdoptError(
            f"{workload.ref} counts its pods from {first} (spec.ordinals), the component from 0: they would be other "
            "devices"
        )


def around_the_pods(workload: Workload) -> Translation:
    """The StatefulSet's own fields."""
    spec = workload.manifest["spec"]
    policy = spec.get("podManagementPolicy", "OrderedReady")
    optional: Json = {
        "volume_claim_templates": [kubernetes_defaults.claim(claim) for claim in own_claims(workload)],
        "persistent_volume_claim_retention_policy": kubernetes_defaults.unless(
            spec.get("persistentVolumeClaimRetentionPolicy"), kubernetes_defaults.RETENTION
        ),
        "update_strategy": kubernetes_defaults.unless(spec.get("updateStrategy"), *kubernetes_defaults.STRATEGIES),
        "pod_management_policy": policy if policy != "OrderedReady" else None,
        "allow_registration_burst": policy == "Parallel" and workload.replicas > BURST_REPLICAS,
    }
    given = {name: value for name, value in optional.items() if value}
    return Translation(arguments={"namespace": workload.namespace, "replicas": workload.replicas, **given})


def metadata(workload: Workload) -> Translation:
    """Labels and annotations; the component puts them on the StatefulSet and its pods alike."""
    own = workload.manifest["metadata"]
    pods = workload.manifest["spec"]["template"].get("metadata") or {}
    labels = {**(own.get("labels") or {}), **(pods.get("labels") or {})}
    app = labels.pop("app", workload.name)
    annotations = {k: v for k, v in (pods.get("annotations") or {}).items() if not k.startswith(TOOLS)}
    tools = other_tools(workload)
    annotations |= FORCE if tools else {}
    lost = [k for k in own.get("annotations") or {} if k not in annotations and not k.startswith(TOOLS)]
    given: dict[str, Any] = {"labels": labels, "annotations": annotations}
    return total(
        Translation(arguments={name: value for name, value in given.items() if value}),
        note(
            f"labels: the pods' label app is {app}, and becomes {workload.name}, which the component's selector uses. "
            "Kubernetes cannot change a selector: the StatefulSet is replaced, and all its pods end at once. They come "
            "back as the same devices.",
            when=app != workload.name,
        ),
        note(
            f"annotations: {', '.join(lost)} go; those that are given are on the pods too.",
            when=bool(lost),
        ),
        note(
            f"annotations: {', '.join(tools)} deployed this, and must not do so again. {next(iter(FORCE))} lets Pulumi "
            "change what is of there.",
            when=bool(tools),
        ),
    )


def other_tools(workload: Workload) -> list[str]:
    """The field managers, beside kubectl and Pulumi, of the StatefulSet itself and not of its status."""
    managers = workload.manifest["metadata"].get("managedFields") or ()
    names = {entry["manager"] for entry in managers if not entry.get("subresource")}
    return sorted(name for name in names if not name.startswith(OVERTAKEN))


def service_account(workload: Workload) -> Translation:
    """The ServiceAccount that is there goes on being used."""
    name = workload.pod_spec.get("serviceAccountName") or workload.pod_spec.get("serviceAccount")
    if not name and workload.auth == "WorkloadIdentity":
        name = "default"  # the tailnet trusts it by its name
    return Translation(arguments={"service_account_name": name} if name else {}) + note(
        "mount_token_in_app: the app's containers no longer get the ServiceAccount's token. Set it to True if the app "
        "asks the Kubernetes API.",
        when=workload.pod_spec.get("automountServiceAccountToken") is not False,
    )
