"""Variables that come from elsewhere: read from the Secrets and ConfigMaps that a container refers to, or named."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from ..clients.errors import ClusterError
from ..pod.objects import Json

Find = Callable[[str, str], Json | None]
"""An object of the namespace, by kind and name. May raise ClusterError."""
KINDS = {"secretRef": "Secret", "configMapRef": "ConfigMap", "secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
CREDENTIALS = ("TS_AUTHKEY", "TS_AUTH_KEY", "TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN")
"""Variables of which it is enough to know where they come from."""


@dataclass(frozen=True)
class Unread:
    """A variable, or all variables of an object, that nobody could read."""

    variable: str
    """Nothing where it may be any."""
    source: str
    """Such as `Secret my-app`."""
    why: str


def read_sources(container: Json, find: Find) -> tuple[Json, list[Unread]]:
    """A container without `envFrom`, whose variables have their values beside where they come from.

    What is left as it is: credentials, and what nothing of Tailscale's depends on.
    """
    unread: list[Unread] = []
    env: list[Json] = []
    for source in container.get("envFrom") or ():
        env += all_keys(source, find, unread)
    own = container.get("env") or []
    used = {name for variable in own if "value" in variable for name in names_in(str(variable["value"]))}
    for variable in own:
        name = variable["name"]
        is_setting = name.startswith("TS_") and name not in CREDENTIALS
        if is_setting or name in used:
            env += with_value(variable, find, unread)
        else:
            env += (
                with_value(variable, find, []) if "configMapKeyRef" in (variable.get("valueFrom") or {}) else [variable]
            )
    last = {variable["name"]: index for index, variable in enumerate(env)}
    kept = [variable for index, variable in enumerate(env) if last[variable["name"]] == index]
    return {**{key: value for key, value in container.items() if key != "envFrom"}, "env": kept}, unread


def all_keys(source: Json, find: Find, unread: list[Unread]) -> list[Json]:
    """The variables of an item of `envFrom`."""
    field = next((name for name in ("secretRef", "configMapRef") if source.get(name)), "secretRef")
    reference = source.get(field) or {}
    name, prefix = str(reference.get("name", "")), str(source.get("prefix") or "")
    content = contents(KINDS[field], reference, "", find, unread)
    by_key = field.replace("Ref", "KeyRef")
    return [
        {"name": f"{prefix}{key}", "valueFrom": {by_key: {"name": name, "key": key}}}
        | ({} if f"{prefix}{key}" in CREDENTIALS else {"value": text})
        for key, text in (content or {}).items()
    ]


def with_value(variable: Json, find: Find, unread: list[Unread]) -> list[Json]:
    """A variable with the value that it has from a key; nothing where that is optional and not there."""
    source = variable.get("valueFrom") or {}
    field = next((name for name in ("secretKeyRef", "configMapKeyRef") if source.get(name)), "")
    if not field:
        if source and "fieldRef" not in source:
            unread.append(Unread(variable["name"], ", ".join(source), "which only the pod knows"))
        return [variable]
    reference = source[field]
    content = contents(KINDS[field], reference, variable["name"], find, unread)
    if content is None:
        return [variable]
    key = str(reference.get("key", ""))
    if key in content:
        return [{**variable, "value": content[key]}]
    if not reference.get("optional"):
        unread.append(Unread(variable["name"], f"{KINDS[field]} {reference.get('name')}", f"has no key {key}"))
    return []


def contents(kind: str, reference: Json, variable: str, find: Find, unread: list[Unread]) -> dict[str, str] | None:
    """What an object holds, as text; nothing where it is optional and not there; None where it could not be read."""
    name = str(reference.get("name", ""))
    try:
        found = find(kind, name)
    except ClusterError as error:
        unread.append(Unread(variable, f"{kind} {name}", f"cannot be read ({error})"))
        return None
    if found is None and reference.get("optional"):
        return {}
    if found is None:
        unread.append(Unread(variable, f"{kind} {name}", "is not there"))
        return None
    data = found.get("data") or {}
    text = {key: decoded(value) for key, value in data.items()} if kind == "Secret" else dict(data)
    return {**text, **(found.get("stringData") or {})}


def decoded(value: str) -> str:
    """A value of a Secret's data."""
    try:
        return base64.b64decode(value, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def names_in(text: str) -> list[str]:
    """The variables that a value refers to; `$$` stands for a `$`."""
    return [part.partition(")")[0] for part in text.replace("$$", "").split("$(")[1:]]
