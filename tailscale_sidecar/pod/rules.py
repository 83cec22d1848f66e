"""Rules of Tailscale and Kubernetes that plain values are checked against. Each error says what to write instead."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .contract import TAILNET_RANGES

DNS_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:\d+)?/)?[a-z0-9]+((\.|_{1,2}|-+|/)[a-z0-9]+)*(:\w[\w.-]{0,127})?(@[a-z0-9]+:[0-9a-f]{32,})?",
    re.ASCII,
)
"""An image reference (github.com/distribution/reference)."""
QUALIFIED_NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
MAX_OBJECT_NAME = 253
MAX_PORT = 65_535
IPV6 = 6
MAX_NAME = 52
"""Longest name of a StatefulSet: its pods' label controller-revision-hash adds 11 characters to it, of 63 allowed."""
OLDEST_RELEASE = (1, 94)
OLDEST_COREDNS = (1, 15)
LAST_TPM_PATCH = 4
"""Releases 1.92.0 to 1.92.4 seal state to the node's TPM (github.com/tailscale/tailscale/issues/18302)."""
LAST_RACK_PATCH = 4
"""Releases 1.104.0 to 1.104.4 have a TCP in userspace that stalls (github.com/tailscale/tailscale/issues/21946)."""
FLAG_FIELDS = {
    "accept-dns": "dns",
    "accept-routes": "accept_routes",
    "advertise-exit-node": "advertise_exit_node",
    "advertise-routes": "advertise_routes",
    "advertise-tags": "tags",
    "audience": "auth",
    "auth-key": "auth",
    "authkey": "auth",
    "client-id": "auth",
    "client-secret": "auth",
    "hostname": "hostname",
    "id-token": "auth",
    "login-server": "login_server",
    "shields-up": "shields_up",
}
FREE_FLAGS = (
    "advertise-connector",
    "exit-node",
    "exit-node-allow-lan-access",
    "netfilter-mode",
    "snat-subnet-routes",
    "ssh",
    "stateful-filtering",
)
"""Flags that `tailscale up` and `tailscale set` both know, so that a removed one goes back to its default
(scripts/connect.sh)."""

ENV_FIELDS = {
    "APP_NAMESERVER": "dns",
    "CLUSTER_CIDRS": "cluster_cidrs",
    "CREDENTIAL_ATTRIBUTES": "auth",
    "CREDENTIAL_FILE": "auth",
    "CREDENTIAL_FLAG": "auth",
    "EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS": None,
    "FORWARD": "accept_routes",
    "HOST_IPS": None,
    "ID_TOKEN_FILE": "auth",
    "KUBERNETES_SERVICE_HOST": None,
    "PATH": None,
    "NODE_NAME": None,
    "POD_INDEX": "hostname",
    "POD_IP": None,
    "POD_IPS": None,
    "POD_NAME": None,
    "POD_UID": None,
    "REGISTRATION_RATE": "registration_rate",
    "RESOLVER_READY_PORT": "dns",
    "TS_ACCEPT_DNS": "dns",
    "TS_AUDIENCE": "auth",
    "TS_AUTHKEY": "auth",
    "TS_AUTH_KEY": "auth",
    "TS_AUTH_ONCE": None,
    "TS_CLIENT_ID": "auth",
    "TS_CLIENT_SECRET": "auth",
    "TS_EGRESS_PROXIES_CONFIG_PATH": None,
    "TS_ENABLE_HEALTH_CHECK": "wait_for_tailnet",
    "TS_ENABLE_METRICS": "metrics",
    "TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR": None,
    "TS_EXTRA_ARGS": "extra_args",
    "TS_HEALTHCHECK_ADDR_PORT": "metrics_port",
    "TS_HOSTNAME": "hostname",
    "TS_ID_TOKEN": "auth",
    "TS_INGRESS_PROXIES_CONFIG_PATH": None,
    "TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV": None,
    "TS_KUBE_SECRET": "state",
    "TS_LOCAL_ADDR_PORT": "metrics_port",
    "TS_OUTBOUND_HTTP_PROXY_LISTEN": "networking",
    "TS_ROUTES": "advertise_routes",
    "TS_SOCKET": None,
    "TS_SOCKS5_SERVER": "networking",
    "TS_STATE_DIR": "state",
    "TS_TAILSCALED_EXTRA_ARGS": None,
    "TS_USERSPACE": "networking",
}
"""Variables that the component sets itself or that only the operator can use, with the argument to use instead."""
KERNEL_ONLY_ENV = (
    "TS_DEST_IP",
    "TS_EXPERIMENTAL_DEST_DNS_NAME",
    "TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS",
    "TS_TAILNET_TARGET_FQDN",
    "TS_TAILNET_TARGET_IP",
)
EXCLUSIVE_ENV = (
    ("TS_DEST_IP", "TS_EXPERIMENTAL_DEST_DNS_NAME"),
    ("TS_TAILNET_TARGET_IP", "TS_TAILNET_TARGET_FQDN"),
    ("TS_SERVE_CONFIG", "TS_DEST_IP"),
)


def name(value: str) -> str:
    """Checks the component's name, which the StatefulSet, its pods and its Service are named by."""
    if len(value) > MAX_NAME:
        raise ValueError(
            f"the name {value!r} has {len(value)} characters; a StatefulSet's may have {MAX_NAME}: shorten it"
        )
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", value):
        raise ValueError(f"the name {value!r} is no name for a Service: use a-z, 0-9 and '-', first a letter")
    return value


def object_name(value: str, field: str) -> None:
    """Checks the name of an object that exists already.

    The error does not show the name: where a Secret's is asked for, it may be a credential by mistake.
    """
    if len(value) > MAX_OBJECT_NAME or not re.fullmatch(rf"{DNS_LABEL}(\.{DNS_LABEL})*", value):
        raise ValueError(f"{field} is no name of a Kubernetes object: use a-z, 0-9, '-' and '.'")


def label(key: str, value: str, field: str) -> None:
    """Checks the value of a label (kubernetes.io/docs/concepts/overview/working-with-objects/labels/)."""
    if value and not re.fullmatch(QUALIFIED_NAME, value):
        raise ValueError(
            f"{field}: the value of {key} must be at most 63 letters, digits, '-', '_' or '.', with a letter or digit at "
            "both ends; use annotations for other text"
        )


def map_key(key: str, field: str) -> None:
    """Checks a key of labels or annotations, or the name of a resource: a name, or a domain, `/` and a name."""
    prefix, slash, own = key.rpartition("/")
    if not re.fullmatch(QUALIFIED_NAME, own) or (slash and not re.fullmatch(rf"{DNS_LABEL}(\.{DNS_LABEL})*", prefix)):
        raise ValueError(f"{field}: {key!r} is not a key that Kubernetes takes, such as team or example.com/team")


def tags(values: tuple[str, ...]) -> tuple[str, ...]:
    """Checks tags by Tailscale's rule (tailscale.com@v1.102.5 tailcfg.CheckTag)."""
    for value in values:
        if not re.fullmatch(r"tag:[a-zA-Z][a-zA-Z0-9-]*", value):
            raise ValueError(f"{value!r} is not a tag: write 'tag:', then a letter, then letters, digits or '-'")
    if len(set(values)) != len(values):
        raise ValueError("a tag is listed twice")
    return values


def cidr(value: str) -> None:
    """Checks a CIDR, IPv4 or IPv6, with no bits of an address beyond the prefix."""
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{value!r} is not a CIDR such as 10.0.0.0/16") from None
    if str(network) != value:
        raise ValueError(f"{value!r} must be written {network}")


def outside_tailnet(value: str) -> None:
    """Refuses a cluster CIDR with addresses of the tailnet: kernel networking would cut the pods off from one of them."""
    network = ipaddress.ip_network(value)
    for tailnet in TAILNET_RANGES:
        if network.version == tailnet.version and network.overlaps(tailnet):
            raise ValueError(
                f"{value} overlaps {tailnet}, the tailnet's own addresses; with kernel networking the pods "
                "would be cut off from one of them. Give no more than the cluster's own CIDRs, or, if they do lie there, "
                "use networking=UserspaceNetworking()"
            )


def image(value: str) -> str:
    """Checks how an image is named, by tag or digest."""
    if not IMAGE.fullmatch(value):
        raise ValueError(f"{value!r} is not an image reference such as example.com/tailscale:v1.102.5")
    return value


def release(image: str) -> tuple[int, int, int] | None:
    """The release of Tailscale that an image's tag names; None for a digest or a tag of another form."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    match = re.match(r"(?:unstable-)?v?(\d+)\.(\d+)(?:\.(\d+))?", tag)
    if match is None:
        return None
    major, minor, patch = (int(part or 0) for part in match.groups())
    return major, minor, patch


def tailscale_image(value: str) -> str:
    """Refuses releases of the Tailscale image that are too old. A digest or a tag of another form is taken as it is."""
    image(value)
    found = release(value)
    if found is None:
        return value
    tag = value.partition("@")[0].rpartition(":")[2]
    if found[:2] == (1, 92) and found[2] <= LAST_TPM_PATCH:
        raise ValueError(
            f"{tag} seals its state to the node's TPM, so that pods cannot move; use v1.94 or newer "
            "(github.com/tailscale/tailscale/issues/18302)"
        )
    if found[:2] < OLDEST_RELEASE:
        raise ValueError(f"{tag} is too old; use v{'.'.join(map(str, OLDEST_RELEASE))} or newer")
    return value


def release_with(value: str, *, oldest: tuple[int, int], choice: str) -> None:
    """Refuses releases of the Tailscale image on which a choice does not work. A digest is taken as it is."""
    found = release(value)
    if found is not None and found[:2] < oldest:
        tag = value.partition("@")[0].rpartition(":")[2]
        raise ValueError(f"{tag} is too old for {choice}; use v{'.'.join(map(str, oldest))} or newer")


def dns_image(value: str) -> str:
    """Refuses releases of CoreDNS that cannot read the Corefile. A digest or a tag of another form is taken as it is."""
    image(value)
    tag = value.partition("@")[0].rpartition("/")[2].partition(":")[2]
    release = re.match(r"v?(\d+)\.(\d+)", tag)
    if release is not None and tuple(map(int, release.groups())) < OLDEST_COREDNS:
        raise ValueError(
            f"{tag} is too old: CoreDNS has `read_timeout` since "
            f"{'.'.join(map(str, OLDEST_COREDNS))}; use that or newer"
        )
    return value


def hostname_prefix(value: str) -> str:
    """Checks a prefix of device names: with `-` and an ordinal it must fit a DNS label."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,54}[a-z0-9])?", value):
        raise ValueError(f"{value!r} is no host name prefix: use a-z, 0-9 and '-', 56 characters at most")
    return value


def host_name(value: str) -> str:
    """Checks a device's whole name: a DNS label."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        raise ValueError(f"{value!r} is no host name: use a-z, 0-9 and '-', 63 characters at most")
    return value


def login_server(value: str) -> str:
    """Checks the control plane's URL."""
    if "@" in value:
        raise ValueError("the URL must not carry a user or password")
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or " " in value:
        raise ValueError(f"{value!r} is not a URL such as https://headscale.example.com")
    if value.endswith("/"):
        raise ValueError(f"write {value.rstrip('/')}, without the slash at the end")
    return value


def extra_args(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Allows the flags that can be changed, and taken away again, on a device that is logged in."""
    given = set()
    for flag in flags:
        match = re.fullmatch(r"--([a-z0-9-]+)(?:=(\S*))?", flag)
        if match is None:
            raise ValueError("write each flag as --flag=value, without white space")
        if match[1] in FLAG_FIELDS:
            raise ValueError(f"--{match[1]} has an argument of its own; use {FLAG_FIELDS[match[1]]}")
        if match[1] not in FREE_FLAGS:
            raise ValueError(f"--{match[1]} cannot be given; there are: {', '.join(FREE_FLAGS)}")
        if match[1] in given:
            raise ValueError(f"--{match[1]} is given twice")
        given.add(match[1])
        _flag_value(match[1], match[2])
    return flags


def _flag_value(flag: str, value: str | None) -> None:
    """Refuses values with which `tailscale up` would fail at every start (cmd/tailscale/cli/up.go, ipn/prefs.go:885)."""
    if flag == "exit-node":
        if not (value or "").startswith("auto:") and _address(value or "") is None:
            raise ValueError(
                "write --exit-node=ADDRESS, the tailnet address of the device, or --exit-node=auto:any: while a pod "
                "starts, it does not know the names of other devices"
            )
    elif flag == "netfilter-mode":
        if value not in ("on", "nodivert", "off"):
            raise ValueError("write --netfilter-mode=on, =nodivert or =off")
    elif value not in (None, "true", "false"):
        raise ValueError(f"write --{flag}=true or --{flag}=false")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def env(values: Mapping[str, Any], *, kernel: bool) -> None:
    """Refuses what the component sets itself, and what containerboot would (cmd/containerboot/settings.go:246)."""
    for variable in values:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", variable):
            raise ValueError(f"env: {variable!r} is not the name of a variable")
        if variable in ENV_FIELDS:
            field = ENV_FIELDS[variable]
            raise ValueError(f"env: {variable} cannot be set" + (f"; use the argument {field}" if field else ""))
    given = {variable for variable, value in values.items() if value != ""}  # empty is as not set
    for variable in KERNEL_ONLY_ENV:
        if variable in given and not kernel:
            raise ValueError(f"env: {variable} is not supported with UserspaceNetworking(); use KernelNetworking()")
    for one, other in EXCLUSIVE_ENV:
        if {one, other} <= given:
            raise ValueError(f"env: {one} and {other} cannot both be set; remove one")


def env_value(variable: str, value: str) -> None:
    """Refuses a variable's value with which containerboot does not start. Empty is as not set."""
    if variable == "TS_DEBUG_ADDR_PORT" and value and not is_address_with_port(value):
        raise ValueError("env: TS_DEBUG_ADDR_PORT must be ip:port, an IPv6 address in brackets")
    if variable == "TS_BOOT_TIMEOUT" and value and not re.fullmatch(r"(\d+(\.\d+)?(ns|us|ms|s|m|h))+", value):
        raise ValueError("env: TS_BOOT_TIMEOUT must be a Go duration such as 10m")


def is_address_with_port(text: str) -> bool:
    """Whether Go's netip.ParseAddrPort takes it: a port, and before it an address, of IPv6 in brackets."""
    host, _, port = text.rpartition(":")
    address = _address(host.removeprefix("[").removesuffix("]"))
    bracketed = host.startswith("[") and host.endswith("]")
    is_host = host == "$(POD_IP)" or (address is not None and bracketed == (address.version == IPV6))
    return is_host and port.isdecimal() and int(port) <= MAX_PORT
