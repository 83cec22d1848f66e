"""What in a pod the sidecar cannot be put beside, each with the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from ..pod import pod_spec as _pod_spec
from ..pod.additions import Surroundings
from ..pod.contract import RESOLV_CONF, RUN_DIR, SERVICE_ACCOUNT_DIR
from ..pod.objects import Json
from .args import SidecarArgs


def refuse_collisions(
    spec: Json,
    args: SidecarArgs,
    *,
    claims: Sequence[Json] = (),
    taken: Mapping[str, str] | None = None,
    path: str = _pod_spec.PATH,
) -> None:
    """Raises ValueError for what the sidecar and the pod cannot both have.

    Args:
        spec: The pod's.
        args: The sidecar's.
        claims: The workload's own volume claim templates.
        taken: Further paths that are mounted in the app's containers, each with the argument that it comes from.
        path: How errors name the spec.
    """
    args.networking.check_pod(spec, path)
    _refuse_routes_without_forwarding(spec, args, path)
    _pod_spec.refuse_ports(spec, args.taken_ports, path)
    resolv_conf = {RESOLV_CONF: f"dns={type(args.dns).__name__}()"} if args.dns.needs_tun else {}
    _pod_spec.refuse_mounts(spec, {**resolv_conf, **(taken or {})}, path)
    _pod_spec.refuse_probes(spec, (args.metrics_port,) if args.metrics or args.wait_for_tailnet else (), path)
    _refuse_sidecar_mounts(spec, args, claims, path)
    _refuse_group_of_other_claims(spec, args, claims, path)


def name_of_claim(claim: Json) -> Any:
    """A volume claim's name: an Output where it is not known yet, None where there is none."""
    metadata = claim.get("metadata", {})
    return metadata if isinstance(metadata, pulumi.Output) else metadata.get("name")


def _refuse_routes_without_forwarding(spec: Json, args: SidecarArgs, path: str) -> None:
    if args.routes and args.networking.kernel and not args.networking.can_route and not _has_forwarding_sysctl(spec):
        raise ValueError(
            "advertise_routes and advertise_exit_node need IP forwarding, which a sidecar that is not privileged cannot "
            "set: give KernelNetworking(user_namespace=True) too, or add {'name': 'net.ipv4.ip_forward', 'value': '1'} "
            f"to {path}.securityContext.sysctls"
        )


def _has_forwarding_sysctl(spec: Json) -> bool:
    context = spec.get("securityContext")
    sysctls = context.get("sysctls", ()) if isinstance(context, Mapping) else ()
    return any(isinstance(s, Mapping) and s.get("name") == "net.ipv4.ip_forward" for s in sysctls)


def _refuse_sidecar_mounts(spec: Json, args: SidecarArgs, claims: Sequence[Json], path: str) -> None:
    added = [choice.additions(Surroundings()) for choice in (args.auth, args.state, args.networking)]
    own = {mount["mountPath"] for choice in added for mount in choice.mounts}
    volumes = [volume.get("name") for volume in spec.get("volumes", ())]
    volumes += [name_of_claim(claim) for claim in claims]
    _pod_spec.refuse_sidecar_mounts(
        args.sidecar_volume_mounts, {*own, RUN_DIR, SERVICE_ACCOUNT_DIR, RESOLV_CONF}, volumes, path
    )


def _refuse_group_of_other_claims(spec: Json, args: SidecarArgs, claims: Sequence[Json], path: str) -> None:
    """Where the sidecar is not root, its volume claim must belong to a group; asks for it if other claims would change.

    Kubernetes has one fsGroup for all volumes of a pod. Some databases refuse to start on a directory that belongs
    to an unexpected group, so the component chooses one only where no other volume claim is there.
    """
    claims_state = bool(args.state.additions(Surroundings()).volume_claim_templates)
    context = spec.get("securityContext") or {}
    if args.networking.kernel or not claims_state or isinstance(context, pulumi.Output) or "fsGroup" in context:
        return
    mounts_claims = any("persistentVolumeClaim" in volume for volume in spec.get("volumes", ()))
    if claims or mounts_claims:
        raise ValueError(
            f"{path}.securityContext.fsGroup is required with PersistentVolumeState() and UserspaceNetworking() where "
            "the app has volume claims of its own: it applies to all of them, so choose the app's group"
        )
