"""Says what a change of the arguments would cost before it happens, and refuses what would lose the identities unasked.

The component's own inputs keep, in Pulumi's state, what was deployed. A hook compares them with the new ones, in a
preview and in an `up`, before any resource of the component is touched.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import pulumi
from pulumi.runtime import mocks, settings

from ..pod.additions import Surroundings
from ..pod.contract import SIDECAR
from ..pod.objects import Json
from .args import SidecarArgs
from .stateful_set_args import TailscaleSidecarStatefulSetArgs

Spelling = Callable[[str], str]
"""Turns a message into one that names arguments as the program's language does."""
Hook = Callable[[pulumi.ResourceHookArgs, Spelling], None]
IMMUTABLE = ("podManagementPolicy", "volumeClaimTemplates")
"""What Kubernetes cannot change in a StatefulSet, of all that an argument can change (beside the name, see below)."""
COUNT = itertools.count()
"""Tells hooks apart, for an engine that runs several programs: Pulumi's Automation API does, in one process. A program and a
provider of the package are two processes of one engine."""


def remembered(args: SidecarArgs, **workload: Any) -> Json:
    """What the next `up` is compared with; `workload` is what is said of that alone, its name in Kubernetes first."""
    found: Json = {
        "namespace": args.namespace,
        "state": args.state.remembered(args.replicas),
        "ordinalsStart": args.ordinals_start or None,
        **workload,
    }
    return {key: value for key, value in found.items() if value is not None}


def remembered_of_stateful_set(name: str, args: TailscaleSidecarStatefulSetArgs) -> Json:
    """The same of a StatefulSet, called `name`, with what Kubernetes cannot change in it."""
    added = args.state.additions(Surroundings(name=name, replicas=args.replicas, first=args.ordinals_start))
    return remembered(
        args,
        name=name,
        podManagementPolicy=args.pod_management_policy,
        volumeClaimTemplates=[*args.volume_claim_templates, *added.volume_claim_templates],
        persistentVolumeClaimRetentionPolicy=args.persistent_volume_claim_retention_policy,
    )


def in_python(text: str) -> str:
    """A message as it is: it names arguments as a program in Python spells them."""
    return text


def hooks(spelled: Spelling = in_python) -> pulumi.ResourceHookBinding | None:
    """Calls `refusal` and `warnings` on a changed component. None under Pulumi's mocks, which cannot call back."""
    return _binding(_before_update, spelled)


def workload_hooks() -> pulumi.ResourceHookBinding | None:
    """Says that the pods of a workload restart that gets the sidecar."""
    return _binding(_before_update_of_workload, in_python)


def _binding(called: Hook, spelled: Spelling) -> pulumi.ResourceHookBinding | None:
    monitor = settings.get_monitor()
    if isinstance(monitor, mocks.MockMonitor):
        return None
    return pulumi.ResourceHookBinding(before_update=[_hook_of(monitor, called, spelled)])


@lru_cache(maxsize=2)
def _hook_of(monitor: object, called: Hook, spelled: Spelling) -> pulumi.ResourceHook:
    """One for all components of a program: the engine is told of each. A monitor is a program's way to the engine."""
    del monitor
    in_previews_too = pulumi.ResourceHookOptions(on_dry_run=True)
    name = f"tailscale-sidecar-protection-{os.getpid()}-{next(COUNT)}"
    return pulumi.ResourceHook(name, lambda args: called(args, spelled), in_previews_too)


def _before_update_of_workload(args: pulumi.ResourceHookArgs, spelled: Spelling) -> None:
    del spelled  # it names no argument
    old, new = _known(args.old_inputs).get("spec"), _known(args.new_inputs).get("spec")
    if old and new and not _has_sidecar(old) and _has_sidecar(new):
        pulumi.log.warn(f"{args.name}: its pods restart, because they get the Tailscale sidecar")


def _has_sidecar(spec: Json) -> bool:
    return f"'name': '{SIDECAR}'" in str(spec)


def _before_update(args: pulumi.ResourceHookArgs, spelled: Spelling) -> None:
    old, new = _known(args.old_inputs), _known(args.new_inputs)
    if message := refusal(old, new):
        raise ValueError(spelled(message))
    for message in warnings(old, new):
        pulumi.log.warn(f"{args.name}: {spelled(message)}")


def _known(inputs: Mapping[str, Any] | None) -> Json:
    """What can be compared: not secrets, which the SDK hands over as Outputs, and not what a preview does not know."""
    given = inputs or {}
    return {k: v for k, v in given.items() if not isinstance(v, pulumi.Output) and not pulumi.contains_unknowns(v)}


def refusal(old: Json, new: Json) -> str | None:
    """Why a change is not made, and the way out: it would delete or leave behind identities that are meant to last."""
    was, will = old.get("state", {}), new.get("state", {})
    if not was.get("outlivesPod"):
        return None
    for field in ("name", "workload", "namespace"):
        if _changed(field, old, new):
            return (
                f"{field} changes from {old[field]!r} to {new[field]!r}, but the replicas' state cannot move: each would "
                f"become a new device. Keep {field}={old[field]!r} in the arguments, or, for new devices, make another "
                "component: one with another name in Pulumi and no alias"
            )
    if not _deletes_secrets(was) or _deletes_secrets(will) or will.get("store") != was["store"]:
        return None
    if will["access"] == was["access"] and will["secrets"] >= was["secrets"]:
        return None
    return (
        "Pulumi would delete state Secrets, and with them identities that are to be kept. First run an `up` that changes "
        "nothing but state=SecretState(retain_state=True)"
    )


def _deletes_secrets(state: Json) -> bool:
    return state.get("access") == "scoped" and not state["retained"]


def _changed(field: str, old: Json, new: Json) -> bool:
    return field in old and field in new and bool(old[field] != new[field])


def warnings(old: Json, new: Json) -> list[str]:
    """What a change costs that is made all the same."""
    was, will = old.get("state", {}), new.get("state", {})
    said = []
    moves = bool(was) and bool(will) and was["store"] != will["store"]
    if moves:
        said.append(
            f"state changes from {was['store']} to {will['store']}: each replica becomes a new device. The old devices "
            "stay on the tailnet until you delete them there"
        )
    first = [int(one.get("ordinalsStart", 0)) for one in (old, new)]
    if first[0] != first[1]:
        said.append(
            f"ordinals_start changes from {first[0]} to {first[1]}: replicas whose numbers are new are new devices, and those "
            "whose numbers go end"
        )
    changed = [field for field in IMMUTABLE if _changed(field, old, new)]
    if changed:
        said.append(
            f"Kubernetes cannot change {' and '.join(changed)} of a StatefulSet: it is deleted and made anew, and all its "
            f"pods end at once. {_fate(old, same_state=will.get('outlivesPod', False) and not moves)}"
        )
    return said


def _fate(old: Json, *, same_state: bool) -> str:
    """What becomes of the replicas of a StatefulSet that is deleted."""
    retention = old.get("persistentVolumeClaimRetentionPolicy") or {}
    if old.get("volumeClaimTemplates") and retention.get("whenDeleted") == "Delete":
        return (
            "All that is on their volume claims is deleted with it: persistent_volume_claim_retention_policy has "
            "whenDeleted 'Delete'. To keep it, first run an `up` with 'Retain'"
        )
    return "They come back as the same devices" if same_state else "They come back as new devices"
