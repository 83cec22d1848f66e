"""Puts the sidecar into a workload that somebody else describes: plain functions on plain data, no engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pulumi

from ..pod import pod_spec as _pod_spec
from ..pod.additions import Additions, Surroundings
from ..pod.contract import COREFILE_ANNOTATION, STATE_VOLUME
from ..pod.objects import Json, whole_number
from . import pod_template
from .collisions import refuse_collisions
from .workload_args import TailscaleSidecarArgs


def injected(manifest: Json, args: TailscaleSidecarArgs, pod: Surroundings) -> Json:
    """The workload with the sidecar in its pods.

    Args:
        manifest: As Pulumi hands it to a transform: camelCase, numbers as floats, Outputs anywhere.
        args: The sidecar's.
        pod: What the choices are told.

    Raises:
        ValueError: The workload is not as `args` say, or has what the sidecar cannot be beside. Where that is in an
            Output, the Output has the error.
    """
    where = ("spec", "jobTemplate", "spec") if args.kind == "CronJob" else ("spec",)
    path = f"{args.kind} {args.workload}: {'.'.join(where)}"
    result: Json = _changed(plain(manifest), where, lambda spec: _spec(spec, args, pod, path))
    return result


def plain(value: Any) -> Any:
    """A copy, with whole floats, which is how Pulumi sends integers, as integers; Outputs are the same ones.

    What is null is not there, as Kubernetes takes it.
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return whole_number(value)


def _changed(value: Any, where: Sequence[str], change: Callable[[Json], Any]) -> Any:
    """`value` with what is at a place in it changed, as soon as it is known."""
    if isinstance(value, pulumi.Output):
        return value.apply(lambda known: _changed(plain(known), where, change))
    if not where:
        return change(value)
    return {**value, where[0]: _changed(value.get(where[0]) or {}, where[1:], change)}


def _spec(spec: Json, args: TailscaleSidecarArgs, pod: Surroundings, path: str) -> Json:
    """The workload's `spec` with the sidecar in its template."""
    _refuse_other_replicas(spec, args, path)
    added = pod_template.additions(pod, args)
    claims = spec.get("volumeClaimTemplates") or []
    known_claims = [] if isinstance(claims, pulumi.Output) else claims

    def template(found: Json) -> Json:
        return _template(found, args, added, known_claims, f"{path}.template")

    changed: Json = {**spec, "template": _changed(_settled(spec.get("template") or {}), (), template)}
    if added.volume_claim_templates and args.kind == "StatefulSet":
        changed["volumeClaimTemplates"] = [*known_claims, *added.volume_claim_templates]
    return changed


def _settled(template: Any) -> Any:
    """The template, as one Output where a part of it that has to be looked into is one."""
    if isinstance(template, pulumi.Output):
        return template
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    parts = [metadata, spec]
    if not any(isinstance(part, pulumi.Output) for part in parts):
        lists = [spec.get(field) or () for field in ("containers", "initContainers", "volumes")]
        parts = [metadata.get("annotations"), *lists]
        items = [item for found in lists if not isinstance(found, pulumi.Output) for item in found]
        parts += [*items, *(item.get("volumeMounts") for item in items if isinstance(item, Mapping))]
    unsettled = any(isinstance(part, pulumi.Output) for part in parts)
    return pulumi.Output.from_input(template) if unsettled else template


def _template(template: Json, args: TailscaleSidecarArgs, added: Additions, claims: Sequence[Json], path: str) -> Json:
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    if not spec.get("containers"):
        raise ValueError(f"{path}.spec.containers is empty: there is nothing to put a sidecar beside")
    _refuse_other_account(spec, args, f"{path}.spec")
    _pod_spec.refuse_fields(spec, f"{path}.spec")
    refuse_collisions(spec, args, claims=claims, path=f"{path}.spec")
    annotations = metadata.get("annotations") or {}
    if COREFILE_ANNOTATION in annotations:
        raise ValueError(f"{path}.metadata.annotations: {COREFILE_ANNOTATION} is the sidecar's own; remove it")
    if added.annotations:
        metadata = {**metadata, "annotations": {**annotations, **dict(added.annotations)}}
    pod = pod_template.with_sidecar(spec, args, _on_one_claim(added, args))
    return {**template, "metadata": metadata, "spec": pod}


def claim_name(args: TailscaleSidecarArgs) -> str:
    """Name of a Deployment's claim for the identity."""
    return f"{args.workload}-tailscale-state"


def _on_one_claim(added: Additions, args: TailscaleSidecarArgs) -> Additions:
    """A Deployment has no claims of its own: there the state's volume is of the claim that the component makes."""
    if not args.is_lasting_deployment:
        return added
    volume = {"name": STATE_VOLUME, "persistentVolumeClaim": {"claimName": claim_name(args)}}
    return replace(added, volumes=(*added.volumes, volume))


def _refuse_other_replicas(spec: Json, args: TailscaleSidecarArgs, path: str) -> None:
    """Raises ValueError for a workload whose pods have other names or are more than the arguments say."""
    replicas = spec.get("replicas", 1)
    if args.kind == "StatefulSet":
        start = (spec.get("ordinals") or {}).get("start", 0)
        if isinstance(start, int) and start != args.ordinals_start:
            raise ValueError(f"{path}.ordinals.start is {start}; give the sidecar ordinals_start={start}")
        room = args.state.room(args.replicas)
        if args.state.made_beforehand and isinstance(replicas, int) and replicas > room:
            raise ValueError(
                f"{path}.replicas is {replicas}, and there are state Secrets for {room}; give the sidecar "
                f"replicas={replicas}, or state=SecretState(max_replicas={replicas})"
            )
        if args.registration_rate is not None and spec.get("podManagementPolicy") != "Parallel":
            raise ValueError(f"{path}.podManagementPolicy must be Parallel with registration_rate; remove that")
    if args.owner == "node":
        _refuse_surge(spec.get("updateStrategy") or {}, path)
    if not args.is_lasting_deployment:
        return
    strategy = spec.get("strategy") or {}
    kind = None if isinstance(strategy, pulumi.Output) else strategy.get("type", "RollingUpdate")
    if isinstance(replicas, int) and replicas > 1:
        raise ValueError(f"{path}.replicas is {replicas}, and the identity is one: set 1, or use state=EmptyDirState()")
    if isinstance(kind, str) and kind != "Recreate":
        raise ValueError(
            f"{path}.strategy.type is {kind}: the new pod would wait for the claim of the old one, and the old one for the "
            "new one to be ready. Set Recreate, or use state=EmptyDirState()"
        )


def _refuse_surge(strategy: Any, path: str) -> None:
    """Raises ValueError where a node may have a new pod beside the old one: elsewhere it comes when that has ended."""
    rolling = strategy.get("rollingUpdate") if isinstance(strategy, Mapping) else None
    surge = rolling.get("maxSurge") if isinstance(rolling, Mapping) else None
    if isinstance(surge, int | str) and str(surge) not in ("0", "0%"):
        raise ValueError(
            f"{path}.updateStrategy.rollingUpdate.maxSurge is {surge}: a node's new pod would run beside the old one, with one "
            "identity. Remove it, or use state=EmptyDirState()"
        )


def _refuse_other_account(spec: Json, args: TailscaleSidecarArgs, path: str) -> None:
    found = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    asked = args.service_account_name
    if asked is not None and isinstance(found, str) and found != asked:
        raise ValueError(
            f"{path}.serviceAccountName is {found}, and the sidecar's service_account_name is {asked}, whose rights its "
            f"pods would not have; give service_account_name={found!r}"
        )
