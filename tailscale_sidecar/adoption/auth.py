"""What the replicas log in with."""

from __future__ import annotations

import re

from ..inspection.workload import Workload
from ..pod.objects import Json
from . import shell_commands
from .python_source import call
from .sidecar_mounts import file_named_by
from .translation import Translation, note, secret, total

CLIENT_SECRET = "tskey-client-"
"""How an OAuth client's secret begins. As TS_AUTHKEY it works too (tailscale.com@v1.102.5 feature/oauthkey)."""


def auth(workload: Workload) -> Translation:
    """The argument `auth`."""
    if workload.auth == "WorkloadIdentity":
        return workload_identity(workload)
    if workload.auth == "OAuthClient" or "client-secret" in workload.flags:
        return from_secret(workload, "OAuthClient", "client_secret", ("TS_CLIENT_SECRET",))
    names = ("TS_AUTHKEY", "TS_AUTH_KEY")
    inline = next((workload.env[name] for name in names if workload.env.get(name)), "")
    kind = ("OAuthClient", "client_secret") if inline.startswith(CLIENT_SECRET) else ("AuthKey", "auth_key")
    found = from_secret(workload, *kind, names)
    if workload.auth or {"auth-key", "authkey"} & workload.flags.keys():
        return found
    return found + note(
        "auth: the sidecar's variables name no credential. One is needed for replicas that have no identity yet: "
        "put an auth key into the configuration, or choose another auth method."
    )


def from_secret(workload: Workload, method: str, argument: str, names: tuple[str, ...]) -> Translation:
    """A method that has one credential: by the Secret that holds it, if its key is as expected, else inline."""
    found = next(
        (v for v in workload.sidecar.get("env") or () if v["name"] in (*names, *named_by_flags(workload))), None
    )
    where = reference(workload, found) if found else None
    if where is not None and where[1] == names[0]:
        return Translation(arguments={"auth": call(method, existing_secret=where[0])})
    first, *others = argument.split("_")
    key = first + "".join(word.capitalize() for word in others)
    command = ""
    if where is not None:
        command = shell_commands.secret_value(workload, *where)
    elif found and found.get("value"):
        command = shell_commands.sidecar_value(workload, found["name"])
    return Translation(arguments={"auth": call(method, **{argument: secret(key)})}, secrets={key: command})


def named_by_flags(workload: Workload) -> list[str]:
    """Variables that a start command of the author's own gives as the credential: `--auth-key=$KEY`."""
    flags = (workload.flags.get(name, "") for name in ("auth-key", "authkey", "client-secret"))
    return [match[1] for flag in flags if (match := re.fullmatch(r"(?:file:)?\$\{?(\w+)\}?", flag))]


def workload_identity(workload: Workload) -> Translation:
    """A token of the platform; by Tailscale's own default the devices are ephemeral."""
    env = {variable["name"]: variable for variable in workload.sidecar.get("env") or ()}
    identifier, audience = env.get("TS_CLIENT_ID", {}), env.get("TS_AUDIENCE", {})
    token = projected_audience(workload)
    spoken = token or audience.get("value")  # else it is in the Secret, beside the client ID
    where = reference(workload, identifier)
    arguments, secrets = {"client_id": identifier.get("value", "")}, {}
    if where and where[1] == "TS_CLIENT_ID" and bool(token) == bool(spoken):
        arguments = {"existing_secret": where[0]}
    elif where:
        arguments, secrets = (
            {"client_id": secret("clientId")},
            {"clientId": shell_commands.secret_value(workload, *where)},
        )
    if spoken:
        arguments |= {"audience": spoken}
    if token:
        arguments |= {"token": "projected"}
    attributes = identifier.get("value", "")
    return total(
        Translation(arguments={"auth": call("WorkloadIdentity", **arguments)}, secrets=secrets),
        note(
            "auth: TS_ID_TOKEN is no token that Kubernetes projects into the pod. The component knows those, with "
            "token='projected', and the cloud's own.",
            when="TS_ID_TOKEN" in env and not token,
        ),
        note(
            "auth: with a client ID that says nothing else, Tailscale has registered the devices as ephemeral, and "
            "they stay so. Those that register from now on are not.",
            when=bool(attributes) and "ephemeral=" not in attributes,
        ),
    )


def projected_audience(workload: Workload) -> str:
    """The audience of the ServiceAccount's token that TS_ID_TOKEN names; nothing if it names another."""
    volume, _ = file_named_by(workload, "TS_ID_TOKEN") or ({}, "")
    sources = (volume.get("projected") or {}).get("sources") or ()
    return next((str(s["serviceAccountToken"].get("audience", "")) for s in sources if "serviceAccountToken" in s), "")


def reference(workload: Workload, variable: Json) -> tuple[str, str] | None:
    """The Secret and the key in it that a variable has its value from, by reference or as a file."""
    by_key = (variable.get("valueFrom") or {}).get("secretKeyRef")
    if by_key:
        return str(by_key.get("name", "")), str(by_key["key"])
    volume, file = file_named_by(workload, str(variable.get("name", ""))) or ({}, "")
    mounted = volume.get("secret")
    if not mounted:
        return None
    keys = {item["path"]: item["key"] for item in mounted.get("items") or ()}
    return str(mounted.get("secretName", "")), keys.get(file, file)
