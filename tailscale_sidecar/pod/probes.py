"""Probes that fail whenever the tailnet is away for a moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .contract import MAGIC_DNS
from .objects import Json, known_items, plain_value


def asked_of_the_tailnet(container: Json, kind: str, ports: Collection[int]) -> str:
    """What a container's probe asks that is away whenever the tailnet is; nothing if it asks something else.

    `ports` are those of the sidecar's health endpoint. To the kubelet, a port's name is one of the same container.
    """
    probe = container.get(kind)
    if not isinstance(probe, Mapping):
        return ""
    named = {"metrics": next(iter(ports), None)}
    named |= {
        plain_value(port.get("name")): port.get("containerPort") for _, port in known_items(container.get("ports"))
    }
    http = probe.get("httpGet")
    if isinstance(http, Mapping) and http.get("path") == "/healthz":
        port = plain_value(http.get("port"))
        if str(named.get(port, port)) in map(str, ports):
            return "the sidecar's /healthz"
    text = str(probe)
    if any(f":{port}/healthz" in text for port in ports):
        return "the sidecar's /healthz"
    return next((resolver for resolver in MAGIC_DNS if resolver in text), "")
