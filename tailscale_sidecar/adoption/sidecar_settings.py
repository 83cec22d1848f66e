"""What the sidecar's variables and flags ask of Tailscale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..checks.template.networking import has_net_admin
from ..inspection.env_sources import names_in
from ..inspection.workload import POD_INDEX, POD_NAME, Workload, is_true
from ..pod.contract import METRICS_PORT, TAILSCALE_IMAGE
from ..pod.objects import Json
from ..pod.rules import ENV_FIELDS, FLAG_FIELDS, FREE_FLAGS, host_name, hostname_prefix, tailscale_image
from . import kubernetes_defaults, shell_commands
from .app_pod_spec import config_key, looks_secret
from .python_source import call
from .sidecar_mounts import kept_mounts
from .translation import Translation, note, secret, total

TAILSCALE = "https://controlplane.tailscale.com"
"""The default of `--login-server`."""
MOVING_TAGS = ("", "latest", "stable", "unstable")
STOCK = ("tailscale/tailscale", "docker.io/tailscale/tailscale", "ghcr.io/tailscale/tailscale")
OF_THE_CALL = ("reset", "accept-risk", "force-reauth", "json", "qr", "timeout")
"""Flags of `tailscale up` that are about the call, and not about the device."""
NOT_GIVEN = ("TS_SOCKET",)
"""Variables that somebody may miss, and that the component has in its own way."""
DAEMON_FLAGS = ("state", "statedir", "tun", "socket", "socks5-server", "outbound-http-proxy-listen")
"""Flags of tailscaled that the component gives too, by arguments or in its own way."""
TRANSLATED = (
    "name",
    "image",
    "imagePullPolicy",
    "env",
    "command",
    "args",
    "resources",
    "volumeMounts",
    "restartPolicy",
)
"""Fields of the sidecar's container that arguments are made of, or that other notes are about."""


def settings(workload: Workload, cluster_cidrs: Sequence[str]) -> Translation:
    """All arguments that variables and flags become, but auth, state and the pod."""
    return total(
        hostname(workload),
        image(workload),
        networking(workload),
        dns(workload),
        environment(workload),
        routes(workload, cluster_cidrs),
        flags(workload),
        metrics(workload),
        others(workload),
        left_out(workload),
    )


def hostname(workload: Workload) -> Translation:
    """`TS_HOSTNAME`: the pod's name, or a prefix of it or of the ordinal."""
    asked = workload.flags.get("hostname") or workload.env.get("TS_HOSTNAME") or POD_NAME
    if asked == POD_NAME:
        return note(
            f"hostname: the device is called like its pod, which is {workload.name}-0 from now on.",
            when=workload.kind != "StatefulSet",
        )
    if exact_hostname(workload):
        return Translation(arguments={"exact_hostname": asked})
    for ending, more in ((POD_NAME, workload.name), (f"-{POD_INDEX}", "")):
        prefix = asked.removesuffix(ending) + more
        try:
            if asked.endswith(ending) and hostname_prefix(prefix):
                return Translation(arguments={"hostname": prefix})
        except ValueError:
            pass  # said below
    return note(
        f"hostname: the devices are called {asked}. The component gives each replica a name of its own, and Tailscale "
        "renames them: their addresses stay, their names do not."
    )


def exact_hostname(workload: Workload) -> str:
    """The name of its own that the device of one replica has; nothing where it is called like the pod."""
    asked = workload.flags.get("hostname") or workload.env.get("TS_HOSTNAME") or POD_NAME
    try:
        return host_name(asked) if workload.replicas == 1 else ""
    except ValueError:
        return ""


def image(workload: Workload) -> Translation:
    """The sidecar's image, unless it is a stock one that moves, or too old: then the component's own."""
    try:
        tailscale_image(workload.image)
    except ValueError as error:
        return note(f"image: {error}. The sidecars get {TAILSCALE_IMAGE}.")
    repository, _, tag = workload.image.partition(":")
    if repository in STOCK and tag in MOVING_TAGS:
        return note(f"image: {workload.image} moves. The sidecars get {TAILSCALE_IMAGE}.")
    policy = workload.sidecar.get("imagePullPolicy")
    given = (
        {"image_pull_policy": policy} if policy not in (None, kubernetes_defaults.pull_policy(workload.image)) else {}
    )
    return Translation(arguments={"image": workload.image, **given})


def networking(workload: Workload) -> Translation:
    """Kernel or userspace."""
    if workload.is_kernel:
        return kernel_networking(workload)
    listeners = [
        workload.daemon_flags.get(flag, workload.env.get(variable, ""))
        for flag, variable in (
            ("socks5-server", "TS_SOCKS5_SERVER"),
            ("outbound-http-proxy-listen", "TS_OUTBOUND_HTTP_PROXY_LISTEN"),
        )
    ]
    ports = [port for listener in listeners if (port := listener.rpartition(":")[2]).isdigit()]
    given = {"proxy_port": int(ports[0])} if ports else {}
    return Translation(arguments={"networking": call("UserspaceNetworking", **given)}) + note(
        f"networking: both proxies listen on port {'/'.join(ports[:1])} now.", when=len(set(ports)) > 1
    )


def kernel_networking(workload: Workload) -> Translation:
    """With the privileges that the sidecar has, where it can do with them."""
    given: dict[str, Any] = {"user_namespace": True} if workload.has_user_namespace else {}
    if workload.is_privileged:
        becomes_privileged = False
    elif workload.device_resources:
        given, becomes_privileged = {"tun_device": workload.device_resources[0], **given}, False
    else:
        becomes_privileged = workload.has_user_namespace or not has_net_admin(workload)
        given = given if becomes_privileged else {"privileged": False}
    return Translation(arguments={"networking": call("KernelNetworking", **given)} if given else {}) + note(
        "networking: the sidecar becomes privileged. KernelNetworking(tun_device=...) makes do without, where the "
        "cluster has a device plugin for /dev/net/tun.",
        when=becomes_privileged,
    )


def dns(workload: Workload) -> Translation:
    """`TS_ACCEPT_DNS`: as in the guide, Tailscale's resolver is then the app's only one."""
    if not workload.is_kernel:
        return Translation()
    if workload.is_alone:
        return note(
            "dns: the sidecar, which is alone in the pod, looks names up in the cluster's DNS, and not in the tailnet's.",
            when=workload.accepts_dns,
        )
    if not workload.accepts_dns:
        return Translation(arguments={"dns": call("ClusterDns")})
    return Translation(arguments={"dns": call("SplitDns")}) + note(
        "dns: the app asks Tailscale's resolver for everything, as before. The default, InPodSplitDns(), needs no split "
        "DNS route and goes on answering while the sidecar is down, but asks Tailscale for ts.net only."
    )


def routes(workload: Workload, cluster_cidrs: Sequence[str]) -> Translation:
    """Routes that are used, and routes that are offered."""
    offered = workload.flags.get("advertise-routes") or workload.env.get("TS_ROUTES", "")
    arguments: dict[str, Any] = {
        "accept_routes": workload.accepts_routes,
        "advertise_routes": [route for route in offered.split(",") if route],
        "advertise_exit_node": is_true(workload.flags.get("advertise-exit-node", "")),
    }
    is_guarded = workload.accepts_routes and workload.is_kernel and bool(cluster_cidrs)
    if is_guarded:
        arguments["cluster_cidrs"] = list(cluster_cidrs)
    return Translation(arguments={name: value for name, value in arguments.items() if value}) + note(
        "cluster_cidrs: the pods' and services' addresses, as found; add your nodes' network.", when=is_guarded
    )


def others(workload: Workload) -> Translation:
    """What is taken over as it is."""
    server = workload.flags.get("login-server", "").rstrip("/")
    given: dict[str, Any] = {
        "tags": workload.tags,
        "shields_up": is_true(workload.flags.get("shields-up", "")),
        "login_server": server if server != TAILSCALE else "",
        "sidecar_volume_mounts": kept_mounts(workload),
        "resources": workload.sidecar.get("resources"),
    }
    return Translation(arguments={name: value for name, value in given.items() if value})


def metrics(workload: Workload) -> Translation:
    """`/metrics`, which containerboot has off by default."""
    arguments: dict[str, Any] = {}
    on = is_true(workload.env.get("TS_ENABLE_METRICS", ""))
    older = workload.env.get("TS_HEALTHCHECK_ADDR_PORT", "")
    port = workload.health_ports[0] if on or not older else workload.health_ports[-1]
    if not on:
        arguments["metrics"] = False
    if port != METRICS_PORT:
        arguments["metrics_port"] = port
    return Translation(arguments=arguments) + note(
        f"metrics_port: /healthz, which TS_HEALTHCHECK_ADDR_PORT has on {older}, is beside /metrics now, on port {port}.",
        when=bool(older) and len(workload.health_ports) > 1,
    )


def left_out(workload: Workload) -> Translation:
    """What the sidecar's container had beside, of which nothing becomes an argument."""
    sidecar = workload.sidecar
    own = kubernetes_defaults.container(sidecar)
    context = {key for key in sidecar.get("securityContext") or {} if key not in ("privileged", "capabilities")}
    fields = [field for field in own if field not in (*TRANSLATED, "securityContext", "ports")]
    fields += [f"securityContext.{key}" for key in sorted(context)]
    ports = [
        f"{port.get('name', '')} {port.get('containerPort')}/{port.get('protocol', 'TCP')}".strip()
        + (f" (hostPort {port['hostPort']})" if "hostPort" in port else "")
        for port in own.get("ports") or ()
        if port.get("containerPort") not in workload.health_ports or "hostPort" in port
    ]
    lost = [*fields, *([f"ports {', '.join(ports)}"] if ports else [])]
    daemon = [f"--{name}={value}" for name, value in workload.daemon_flags.items() if name not in DAEMON_FLAGS]
    others = workload.start.others if workload.start else ()
    return total(
        note(f"sidecar: left out of its container: {'; '.join(lost)}. The component has its own.", when=bool(lost)),
        note(f"sidecar: flags of tailscaled that cannot be given: {' '.join(daemon)}.", when=bool(daemon)),
        note(
            "sidecar: its command goes; the component starts tailscaled itself"
            + (f". What it also runs is not run any more: {', '.join(others)}." if others else "."),
            when=bool(sidecar.get("command") or sidecar.get("args")),
        ),
    )


def flags(workload: Workload) -> Translation:
    """Further flags of `tailscale up`."""
    extra = [f"--{name}={value}" for name, value in workload.flags.items() if name in FREE_FLAGS]
    lost = [f"--{name}" for name in workload.flags if name not in {*FREE_FLAGS, *FLAG_FIELDS, *OF_THE_CALL}]
    return Translation(arguments={"extra_args": extra} if extra else {}) + note(
        f"extra_args: {', '.join(lost)} cannot be given.", when=bool(lost)
    )


def environment(workload: Workload) -> Translation:
    """Further variables of the sidecar."""
    given: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    lost = [name for name in NOT_GIVEN if name in workload.env]
    for variable in workload.sidecar.get("env") or ():
        name, value, source = variable["name"], variable.get("value") or "", variable.get("valueFrom") or {}
        if name in ENV_FIELDS:
            continue  # it is the component's own, or another argument's
        text = as_written(workload, variable)
        secret_key = source.get("secretKeyRef")
        if secret_key or looks_secret(name, value):
            key = config_key(workload.sidecar["name"], name)
            secrets[key] = (
                shell_commands.secret_value(workload, str(secret_key.get("name", "")), str(secret_key["key"]))
                if secret_key
                else ""
                if source
                else shell_commands.sidecar_value(workload, name)
            )
            given[name] = secret(key)
        elif text is None:
            lost.append(name)
        else:
            given[name] = text
    return Translation(arguments={"env": given} if given else {}, secrets=secrets) + note(
        f"env: {', '.join(lost)} cannot be given; env has plain values only.", when=bool(lost)
    )


def as_written(workload: Workload, variable: Json) -> str | None:
    """A variable's value as the component's container has to have it; None where it cannot be given."""
    source = variable.get("valueFrom") or {}
    if (source and "value" not in variable) or any(
        is_from_elsewhere(workload, name) for name in names_in(str(variable.get("value") or "")) if not source
    ):
        return None
    text = workload.env.get(variable["name"], "")
    if re.search(r"\{(metadata|spec|status)\.", text.replace(POD_NAME, "")):
        return None
    return text.replace("$(", "$$(").replace(POD_NAME, "$(POD_NAME)")


def is_from_elsewhere(workload: Workload, name: str) -> bool:
    """Whether a variable is from a Secret, or from where nobody could read it."""
    found: Json = next((v for v in workload.sidecar.get("env") or () if v["name"] == name), {})
    source = found.get("valueFrom") or {}
    return bool(source) and ("secretKeyRef" in source or not ("value" in found or "fieldRef" in source))
