"""What Pulumi has to be told before its first `up` of a program whose objects are there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from ..inspection.workload import Workload
from ..pod.objects import Json
from ..render.render import Registered, plain, registered

Find: TypeAlias = Callable[[str, str], Json | None]
"""An object as it is, by kind and name."""
PROGRAM = "__main__.py"
"""The file that the program's text is for."""
COMPONENT = "tailscale-sidecar:index:TailscaleSidecarStatefulSet"
ASSIGNED = ("clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "sessionAffinity", "type")
"""What Kubernetes gives to a Service that does not say it."""


def run(text: str, namespace: str, secrets: Iterable[str]) -> list[Registered]:
    """What a program's text registers. Its configuration is filled in.

    Raises:
        Exception: The component refuses the arguments, or whatever else is wrong with it.
    """
    # A client secret is checked for how it starts.
    config = {f"adopt:{key}": "tskey-client-later" if key == "clientSecret" else "later" for key in secrets}
    source = compile(text, PROGRAM, "exec")
    found = registered(partial(exec, source, {}), namespace=namespace, project="adopt", config=config)
    return [Registered(one.type, one.name, plain(one.object, show_secrets=False)) for one in found]


def kept(workload: Workload, planned: Iterable[Registered], find: Find) -> dict[str, list[str]]:
    """By type of resource, the properties that an `up` may not change, or that it would only take away."""
    found: dict[str, list[str]] = {}
    for resource in planned:
        kind, will = resource.object["kind"], resource.object.get("spec", {})
        if kind == "StatefulSet":
            paths = kept_of_stateful_set(workload.manifest["spec"], will)
        elif kind == "Service":
            there = find(kind, resource.object["metadata"]["name"])
            paths = ["spec"] if there and is_otherwise(there["spec"], will) else []
        else:
            continue
        if paths:
            found[resource.type] = paths
    return found


def kept_of_stateful_set(is_now: Json, will: Json) -> list[str]:
    """Those of a StatefulSet. A selector that its pods would not have any more cannot be kept."""
    labels = will["template"]["metadata"]["labels"]
    selector = is_now.get("selector", {})
    differs = {
        "selector": selector != will["selector"] and labels.items() >= selector.get("matchLabels", {}).items(),
        "serviceName": is_now.get("serviceName", "") != will["serviceName"],
        "volumeClaimTemplates": bool(is_now.get("volumeClaimTemplates")),  # with what Kubernetes has filled in
        "minReadySeconds": bool(is_now.get("minReadySeconds")),
    }
    return [f"spec.{field}" for field, is_kept in differs.items() if is_kept]


def is_otherwise(service: Json, will: Json) -> bool:
    """Whether a Service says more than the component's, or something else."""
    said = {key: value for key, value in service.items() if key not in ASSIGNED and value not in (False, [], {})}
    return said != {key: value for key, value in will.items() if value is not False}


def import_file(workload: Workload, planned: Iterable[Registered], find: Find, makes: Iterable[str]) -> Json:
    """What `pulumi import --file` reads: the component, and those of its objects that are there.

    `makes` are Secrets that will be there by then.
    """
    resources: list[Json] = [{"type": COMPONENT, "name": workload.name, "component": True}]
    for found in planned:
        kind, name = found.object["kind"], found.object["metadata"]["name"]
        if (kind == "Secret" and name in makes) or find(kind, name) is not None:
            own = {"type": found.type, "name": found.name, "id": f"{workload.namespace}/{name}"}
            resources.append({**own, "parent": workload.name})
    return {"resources": resources}
