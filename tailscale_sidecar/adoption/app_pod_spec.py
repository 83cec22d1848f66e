"""The author's own PodSpec: what is left of a pod when the guide's parts are taken out."""

from __future__ import annotations

import re

from ..inspection import start_command
from ..inspection.workload import Workload
from ..pod.objects import Json
from . import kubernetes_defaults, shell_commands
from .sidecar_mounts import kept_mounts, volumes_of
from .translation import Translation, note, secret, total

NOT_CARRIED = ("serviceAccountName", "serviceAccount", "automountServiceAccountToken")
"""Fields for which the component has arguments of its own."""
SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|(API|ACCESS|PRIVATE|AUTH)_?KEY", re.IGNORECASE)
SECRET_VALUE = re.compile(r"[th]skey-|://[^/\s:@]*:[^/\s@]+@")
"""Tailscale's and Headscale's keys, and a password in a URL."""


def own_pod(workload: Workload) -> Translation:
    """The argument `pod_spec`. Values that look like secrets become configuration."""
    users = ("hostUsers",) if workload.is_kernel else ()
    spec = {key: value for key, value in workload.pod_spec.items() if key not in (*NOT_CARRIED, *users)}
    removed = [workload.sidecar, *(c for c in spec.get("initContainers") or () if sets_sysctls(c))]
    secrets: dict[str, str] = {}
    for field in ("initContainers", "containers"):
        spec[field] = [
            without_secrets(workload, f"{field}[{index}]", container, secrets)
            for index, container in enumerate(spec.get(field) or ())
            if container not in removed
        ]
    used = volumes_of([*spec["initContainers"], *spec["containers"]]) | {m["name"] for m in kept_mounts(workload)}
    gone = volumes_of(removed) - used
    lost = [volume["name"] for volume in spec.get("volumes") or () if volume["name"] in gone]
    spec["volumes"] = [volume for volume in spec.get("volumes") or () if volume["name"] not in gone]
    given = kubernetes_defaults.of_a_pod(spec) if workload.kind == "Pod" else kubernetes_defaults.pod(spec)
    sysctls = [container["name"] for container in removed[1:]]
    return total(
        Translation(arguments={"pod_spec": given}, secrets=secrets),
        note(
            f"pod_spec: the init container {', '.join(sysctls)} goes; the component sets these sysctls where they are "
            "needed.",
            when=bool(sysctls),
        ),
        note(f"pod_spec: the volumes {', '.join(lost)}, which only the sidecar used, go.", when=bool(lost)),
    )


def sets_sysctls(container: Json) -> bool:
    """Whether it is the guide's init container, which the component has too, and nothing beside."""
    if container.get("restartPolicy") == "Always":
        return False
    words = [*map(str, container.get("command") or ()), *map(str, container.get("args") or ())]
    try:
        script = start_command.read(list(start_command.commands_of(words or [""], "")), {})
    except ValueError:
        return False
    return "net.ipv4.ip_forward" in " ".join(words) and not script.others and not script.daemons


def without_secrets(workload: Workload, path: str, container: Json, secrets: dict[str, str]) -> Json:
    """A container whose secrets are in the configuration. `secrets` gets the commands that print them."""
    env = []
    for index, variable in enumerate(container.get("env") or ()):
        name, value = variable["name"], variable.get("value") or ""
        if looks_secret(name, value):
            key = config_key(container["name"], name)
            secrets[key] = shell_commands.template_value(workload, f"{path}.env[{index}].value")
            env.append({**variable, "value": secret(key)})
        else:
            env.append(variable)
    return {**container, "env": env} if env else container


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable's value should not be shown."""
    return bool(value and (SECRET_NAME.search(name) or SECRET_VALUE.search(value)))


def config_key(container: str, variable: str) -> str:
    """A key of the stack's configuration: `DB_PASSWORD` of the container `app` becomes `appDbPassword`."""
    first, *others = [word.lower() for word in re.split(r"[^A-Za-z0-9]+", f"{container} {variable}") if word]
    return first + "".join(word.capitalize() for word in others)
