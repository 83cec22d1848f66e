"""What an `up` will change, like a diff: so that nobody finds out afterwards."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from ..pod.contract import OWN_CONTAINERS, OWN_VOLUMES
from ..pod.objects import Json
from ..render.render import Registered
from . import kubernetes_defaults
from .app_pod_spec import SECRET_VALUE, looks_secret
from .component_arguments import TOOLS
from .found import Found

CONTEXT = 1
"""Lines around a change that are shown with it."""
HIDDEN = "(not shown)"
BY_HAND, COMPONENTS = "(the sidecar, by hand)", "(the component's)"


def changes(
    found: Found, planned: Iterable[Registered], ignored: Mapping[str, Sequence[str]], makes: Collection[str]
) -> list[str]:
    """For each of the component's objects whether it is made, changed or left, with the lines that change.

    Args:
        found: What is there.
        planned: What the program makes.
        ignored: By type, the properties that stay.
        makes: Secrets that will be there by then.
    """
    lines: list[str] = []
    for one in planned:
        kind, name = one.object["kind"], one.object["metadata"]["name"]
        ref = f"{kind} {found.workload.namespace}/{name}"
        there = found.find(kind, name)
        if kind == "Secret" and (there is not None or name in makes):
            continue  # imported, and never changed
        if there is None:
            lines.append(f"+ {ref}")
            continue
        is_now, will = told(there, found, is_now=True), told(one.object, found, is_now=False)
        for path in ignored.get(one.type, ()):
            keep(path.split("."), is_now, will)
        changed = list(diff(is_now, will))
        lines += [f"~ {ref}", *(f"    {line}" for line in changed)] if changed else []
    return lines


def told(whole: Json, found: Found, *, is_now: bool) -> Json:
    """An object as its author would tell it: without what Kubernetes fills in, secrets, or the component's own parts."""
    metadata = {
        "labels": whole["metadata"].get("labels") or {},
        "annotations": {
            key: value
            for key, value in (whole["metadata"].get("annotations") or {}).items()
            if not key.startswith(TOOLS)
        },
    }
    kept = {key: value for key, value in whole.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    made: Json = {"metadata": {key: value for key, value in metadata.items() if value}, **kept}
    if whole["kind"] == "StatefulSet":
        own = {found.workload.sidecar["name"]: BY_HAND} if is_now else dict.fromkeys(OWN_CONTAINERS, COMPONENTS)
        made["spec"] = stateful_set(whole["spec"], own)
    shown: Json = without_secrets(made)
    return shown


def stateful_set(spec: Json, own: Mapping[str, str]) -> Json:
    """A StatefulSet's spec. What is listed has its name or path as key; `own` containers and volumes are told in a word."""
    template = spec["template"]
    pods = kubernetes_defaults.pod(template["spec"])
    for field in ("initContainers", "containers"):
        if field in pods:
            pods[field] = {c["name"]: own.get(c["name"]) or container(c) for c in pods[field]}
    if "volumes" in pods:
        pods["volumes"] = {v["name"]: COMPONENTS if v["name"] in OWN_VOLUMES else v for v in pods["volumes"]}
    pods.pop("serviceAccount", None)
    metadata = template.get("metadata") or {}
    kept = kubernetes_defaults.without(spec, kubernetes_defaults.STATEFUL_SET)
    if kubernetes_defaults.unless(spec.get("updateStrategy"), *kubernetes_defaults.STRATEGIES) is None:
        kept.pop("updateStrategy", None)
    labels = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    return {**kept, "template": {"metadata": labels, "spec": pods}}


def container(spec: Json) -> Json:
    """One of the app's containers."""
    made = {key: value for key, value in spec.items() if key != "name"}
    if "volumeMounts" in made:
        made["volumeMounts"] = {mount["mountPath"]: mount["name"] for mount in made["volumeMounts"]}
    return made


def without_secrets(value: Any) -> Any:
    """A value in which what looks like a secret is not shown."""
    if isinstance(value, Mapping):
        name, text = str(value.get("name", "")), value.get("value")
        hidden = {"value": HIDDEN} if isinstance(text, str) and looks_secret(name, text) else {}
        return {key: hidden.get(key) or without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return HIDDEN if isinstance(value, str) and SECRET_VALUE.search(value) else value


def keep(path: list[str], is_now: Json, will: Json) -> None:
    """Gives a property the value that it has now."""
    field, *rest = path
    if rest:
        keep(rest, is_now.get(field) or {}, will.setdefault(field, {}))
    elif field in is_now:
        will[field] = is_now[field]
    else:
        will.pop(field, None)


def diff(is_now: Json, will: Json) -> Iterator[str]:
    """The lines that change, with those beside them."""
    before, after = (
        yaml.safe_dump(
            json.loads(json.dumps(one)), default_flow_style=False, width=1000
        ).splitlines()  # no YAML aliases
        for one in (is_now, will)
    )
    for line in difflib.unified_diff(before, after, n=CONTEXT, lineterm=""):
        if not line.startswith(("---", "+++")):
            yield "..." if line.startswith("@@") else line
