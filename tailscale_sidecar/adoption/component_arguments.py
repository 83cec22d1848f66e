"""A StatefulSet made by hand as the component's arguments."""

from __future__ import annotations

from typing import Any

from ..inspection.workload import Workload, sidecars_of
from ..pod import rules
from ..pod.contract import BURST_REPLICAS, STATE_VOLUME
from ..pod.objects import Json
from . import kubernetes_defaults, shell_commands
from .app_pod_spec import own_pod
from .auth import auth
from .found import CannotAdoptError, Found
from .rights import gives_the_app_rights
from .sidecar_settings import settings
from .state import claims, name_of, own_claims, state
from .translation import Translation, note, total

TOOLS = ("kubectl.kubernetes.io/", "deployment.kubernetes.io/")
"""Annotations that tools make for themselves. One of kubectl's has the whole manifest, secrets included."""


OVERTAKEN = ("kubectl", "before-first-apply", "pulumi")
"""Field managers, by how they begin, from which Pulumi takes everything over by itself
(pulumi-kubernetes@v4.32.0 provider/pkg/await/await.go, fixCSAFieldManagers)."""
FORCE: Json = {"pulumi.com/patchForce": "true"}
"""Takes over what any other field manager has."""


MOST_REPLICAS = 10_000
"""Far more than a StatefulSet can have pods for; no list of them is made."""


def describe(found: Found) -> Translation:
    """The arguments, with what has to be known and done.

    Raises:
        CannotAdoptError: It is none that the component can describe.
    """
    refuse(found)
    return total(
        around_the_pods(found.workload),
        changeover(found.workload),
        metadata(found.workload),
        own_pod(found.workload),
        auth(found.workload),
        state(found),
        settings(found.workload, found.cluster_cidrs),
        service_account(found),
    )


def refuse(found: Found) -> None:
    """Raises CannotAdoptError, or ValueError, for what the component does not make."""
    workload = found.workload
    for field, name in (("metadata.name", workload.name), ("metadata.namespace", workload.namespace)):
        rules.object_name(name, field)
    if workload.is_component:
        raise CannotAdoptError(
            f"{workload.ref} was made with this component. Where Pulumi's state was lost, import it: "
            "docs/protection.md#take-over-what-is-there"
        )
    reason = why_not(found)
    if reason:
        raise CannotAdoptError(f"{workload.ref} {reason}")


def why_not(found: Found) -> str:
    """Why a workload cannot be adopted; nothing where it can."""
    workload = found.workload
    sidecars = [container["name"] for container in sidecars_of(workload.pod_spec)]
    if len(sidecars) > 1:
        return f"runs Tailscale in {' and '.join(sidecars)}: the component has one sidecar, of one tailnet"
    if workload.start is None:
        return (
            f"starts its container {sidecars[0]} by a command that does not tell where the identity is and what "
            "tailscaled is to do. Let it be containerboot (remove the command), or one `tailscaled` and one "
            "`tailscale up` with plain flags"
        )
    if "TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR" in workload.env:
        return "has tailscaled's settings in a file (TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR), which nobody reads here"
    if workload.replicas > MOST_REPLICAS:
        return f"has {workload.replicas} replicas: scale it down first"
    return "" if workload.kind == "StatefulSet" else why_not_one_pod(found)


def why_not_one_pod(found: Found) -> str:
    """The same for a Deployment or a Pod, which a StatefulSet takes the place of."""
    workload = found.workload
    if workload.kind == "Deployment" and workload.replicas > 1:
        return (
            f"has {workload.replicas} replicas, which have no lasting names: which identity is whose is not known. "
            "Scale it to one"
        )
    owner = next((o for o in workload.manifest["metadata"].get("ownerReferences") or () if o.get("controller")), None)
    if owner:
        return f"belongs to {owner.get('kind')} {owner.get('name')}: adopt that"
    if found.find("StatefulSet", workload.name) is not None:
        return "has the name of a StatefulSet that is there already, and that the component would take over"
    return ""


def around_the_pods(workload: Workload) -> Translation:
    """The StatefulSet's own fields."""
    if workload.kind != "StatefulSet":
        ready = workload.manifest["spec"].get("minReadySeconds")
        given = {"min_ready_seconds": ready} if ready and workload.kind == "Deployment" else {}
        return Translation(arguments={"namespace": workload.namespace, "replicas": 1, **given})
    spec = workload.manifest["spec"]
    policy = spec.get("podManagementPolicy", "OrderedReady")
    history = spec.get("revisionHistoryLimit")
    optional: Json = {
        "ordinals_start": (spec.get("ordinals") or {}).get("start"),
        "min_ready_seconds": spec.get("minReadySeconds"),
        "revision_history_limit": None if history == kubernetes_defaults.HISTORY else history,
        "volume_claim_templates": [kubernetes_defaults.claim(claim) for claim in own_claims(workload)],
        "persistent_volume_claim_retention_policy": kubernetes_defaults.unless(
            spec.get("persistentVolumeClaimRetentionPolicy"), kubernetes_defaults.RETENTION
        ),
        "update_strategy": kubernetes_defaults.unless(spec.get("updateStrategy"), *kubernetes_defaults.STRATEGIES),
        "pod_management_policy": policy if policy != "OrderedReady" else None,
        "allow_registration_burst": policy == "Parallel" and workload.replicas > BURST_REPLICAS,
    }
    given = {
        name: value for name, value in optional.items() if value or (name == "revision_history_limit" and value == 0)
    }
    gone = [name_of(c) for c in claims(workload) if c not in own_claims(workload) and name_of(c) != STATE_VOLUME]
    return Translation(arguments={"namespace": workload.namespace, "replicas": workload.replicas, **given}) + note(
        f"volume_claim_templates: {', '.join(gone)} cannot be taken away, and is not used any more.", when=bool(gone)
    )


def changeover(workload: Workload) -> Translation:
    """How a Deployment or a Pod becomes a StatefulSet of one."""
    if workload.kind == "StatefulSet":
        return Translation()
    spec = workload.manifest["spec"]
    lost = [
        f for f in ("minReadySeconds", "progressDeadlineSeconds", "paused") if spec.get(f) not in (None, 600, False)
    ]
    return total(
        Translation(after=tuple(shell_commands.remove(workload))),
        note(
            f"replicas: {workload.ref} becomes a StatefulSet of one, whose pod is {workload.name}-0. The old pod ends "
            "before the new one starts: until that is ready, the app is away.",
        ),
        note(f"replicas: {', '.join(lost)} go.", when=workload.kind == "Deployment" and bool(lost)),
    )


def metadata(workload: Workload) -> Translation:
    """Labels and annotations of the pods; what the object itself has, and the label app, `kept_by` the program."""
    pods = workload.pod_template.get("metadata") or {}
    labels = {key: value for key, value in (pods.get("labels") or {}).items() if key != "app"}
    annotations = {k: v for k, v in (pods.get("annotations") or {}).items() if not k.startswith(TOOLS)}
    tools = other_tools(workload) if workload.kind == "StatefulSet" else []
    annotations |= FORCE if tools else {}
    given: dict[str, Any] = {"labels": labels, "annotations": annotations}
    return Translation(arguments={name: value for name, value in given.items() if value}) + note(
        f"annotations: {', '.join(tools)} deployed this, and must not do so again. {next(iter(FORCE))} lets Pulumi "
        "change what is of there.",
        when=bool(tools),
    )


def other_tools(workload: Workload) -> list[str]:
    """The field managers, beside kubectl and Pulumi, of the StatefulSet itself and not of its status."""
    managers = workload.manifest["metadata"].get("managedFields") or ()
    names = {entry["manager"] for entry in managers if not entry.get("subresource")}
    return sorted(name for name in names if not name.startswith(OVERTAKEN))


def service_account(found: Found) -> Translation:
    """The ServiceAccount that is there goes on being used."""
    workload = found.workload
    spec = workload.pod_spec
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or ""
    mounts = spec.get("automountServiceAccountToken") is not False
    asks = mounts and gives_the_app_rights(found)
    taken = not name and found.find("ServiceAccount", workload.name) is not None
    if not name and (asks or taken or workload.auth == "WorkloadIdentity"):
        name = "default"  # its rights are the app's, its own name is another's, or the tailnet trusts it by its name
    arguments = {"service_account_name": name} if name else {}
    return total(
        Translation(arguments={**arguments, "mount_token_in_app": True} if asks else arguments),
        note(
            f"mount_token_in_app: ServiceAccount {name} has rights that no sidecar needs. They are the app's, so that "
            "its containers keep the token.",
            when=asks,
        ),
        note(
            "mount_token_in_app: the app's containers no longer get the ServiceAccount's token. Set it to True if the "
            "app asks the Kubernetes API.",
            when=mounts and not asks and not workload.is_alone,
        ),
        note(
            f"service_account_name: the pods get a ServiceAccount of their own, {workload.name}, instead of default.",
            when=not name,
        ),
    )
