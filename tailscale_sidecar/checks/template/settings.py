"""Checks of what the sidecar's programs refuse, or do not take as it is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import TypeAlias

from ...inspection.env_sources import names_in
from ...inspection.unknown_values import UnknownError
from ...inspection.workload import BOOLEANS, POD_INDEX, POD_NAME, Workload, is_true, mount_at
from ...pod import rules
from ...report.findings import CODE, UPSTREAM, Defect, Severity
from ..registry import Seen, check_template

SWITCHES = {
    "EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS": False,
    "TS_ACCEPT_DNS": False,
    "TS_AUTH_ONCE": False,
    "TS_ENABLE_HEALTH_CHECK": False,
    "TS_ENABLE_METRICS": False,
    "TS_EXPERIMENTAL_CERT_SHARE": False,
    "TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS": False,
    "TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT": True,
    "TS_USERSPACE": True,
}
"""containerboot's Boolean variables with their defaults (cmd/containerboot/settings.go)."""

NOT_A_BOOLEAN = Defect(
    name="not-a-boolean",
    severity=Severity.WARNING,
    why="containerboot takes 1, t, true, 0, f and false as Go's strconv.ParseBool does. All else is its default.",
    do='Write {name}: "true" or {name}: "false".',
    source=f"{CODE}/util/def/def.go#L14",
)


@check_template(NOT_A_BOOLEAN)
def not_a_boolean(workload: Workload) -> Iterator[Seen]:
    for name, default in SWITCHES.items():
        with suppress(UnknownError):
            value = workload.env.get(name, "")
            if value and value not in BOOLEANS:
                yield Seen(f"{name} is {value!r}, which is read as {str(default).lower()}.", {"name": name})


NOT_EXPANDED = Defect(
    name="variable-not-expanded",
    severity=Severity.ERROR,
    why="Kubernetes fills in $(NAME) from the variables that come before it in the list. The sidecar gets all else as it stands.",
    do="Let {name} come before the variable that uses it, in `env` of the same container.",
    source="https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/",
)


@check_template(NOT_EXPANDED)
def not_expanded(workload: Workload) -> Iterator[Seen]:
    variables = workload.sidecar.get("env") or ()
    names = [variable["name"] for variable in variables]
    for index, variable in enumerate(variables):
        for name in names_in(variable.get("value") or ""):
            if name in names[index:] and name not in names[:index]:
                yield Seen(f"{variable['name']} uses $({name}), which comes after it.", {"name": name})


ONE_HOSTNAME = Defect(
    name="one-hostname",
    severity=Severity.WARNING,
    why="A tailnet has each name once: the devices of the other replicas are called {name}-1, {name}-2 and so on, at random.",
    do="Let TS_HOSTNAME name the pod, such as $(POD_NAME) with POD_NAME from metadata.name, or leave it out.",
    source=f"{UPSTREAM}/10604",
)


@check_template(ONE_HOSTNAME)
def one_hostname(workload: Workload) -> Iterator[Seen]:
    name = workload.flags.get("hostname") or workload.env.get("TS_HOSTNAME", "")
    several = workload.kind == "DaemonSet" or workload.replicas > 1
    if name and several and not any(part in name for part in (POD_NAME, POD_INDEX, "{")):
        yield Seen(f"All replicas ask for the name {name}.")


SERVE_CONFIG = Defect(
    name="serve-config-missing",
    severity=Severity.ERROR,
    why="containerboot ends again and again if the folder of TS_SERVE_CONFIG is not there, and serves nothing without the file.",
    do="Mount a ConfigMap with the file as a volume of the sidecar, and let TS_SERVE_CONFIG name the file in it.",
    source=f"{CODE}/cmd/containerboot/serve.go#L51",
)


@check_template(SERVE_CONFIG)
def serve_config(workload: Workload) -> Iterator[Seen]:
    path = workload.env.get("TS_SERVE_CONFIG", "")
    mount = mount_at(workload.sidecar, path)
    if not path:
        return
    if not path.startswith("/"):
        yield Seen("TS_SERVE_CONFIG is no path of a file.")
    elif mount is None:
        yield Seen(f"TS_SERVE_CONFIG {path} is on no volume of the sidecar.")
    elif mount["mountPath"].rstrip("/") == path.rstrip("/") and not (mount.get("subPath") or mount.get("subPathExpr")):
        yield Seen(f"TS_SERVE_CONFIG {path} is a folder: volume {mount['name']} is mounted there.")


# -- what is refused ---------------------------------------------------------------------------

SETTINGS_REFUSED = Defect(
    name="settings-refused",
    severity=Severity.ERROR,
    why="containerboot or `tailscale up` refuses this, and the sidecar never comes up.",
    do="Correct it, or remove it.",
    source=f"{CODE}/cmd/containerboot/settings.go#L246",
)
INGRESS = "EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS"
OPTIMIZATIONS = "TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS"
CONFIG_DIR = "TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR"
EXCLUSIVE = (
    *rules.EXCLUSIVE_ENV,
    ("TS_ID_TOKEN", "TS_CLIENT_SECRET"),
    ("TS_ID_TOKEN", "TS_AUDIENCE"),
    ("TS_AUDIENCE", "TS_CLIENT_SECRET"),
    *(
        (CONFIG_DIR, name)
        for name in (
            "TS_HOSTNAME",
            "TS_EXTRA_ARGS",
            "TS_AUTHKEY",
            "TS_AUTH_KEY",
            "TS_CLIENT_ID",
            "TS_CLIENT_SECRET",
            "TS_ID_TOKEN",
            "TS_AUDIENCE",
        )
    ),
)
EVEN_IF_EMPTY = ("TS_ROUTES", "TS_ACCEPT_DNS")
"""Variables that are given as soon as they are there."""
BOOLEAN_FLAGS = (
    "accept-dns",
    "accept-routes",
    "advertise-connector",
    "advertise-exit-node",
    "exit-node-allow-lan-access",
    "force-reauth",
    "json",
    "qr",
    "report-posture",
    "reset",
    "shields-up",
    "snat-subnet-routes",
    "ssh",
    "stateful-filtering",
)
"""Of `tailscale up` on Linux (cmd/tailscale/cli/up.go)."""

Refusal: TypeAlias = Callable[[Workload], Iterator[str]]


@check_template(SETTINGS_REFUSED)
def settings_refused(workload: Workload) -> Iterator[Seen]:
    for refusal in REFUSALS:
        with suppress(UnknownError):
            for what in refusal(workload):
                yield Seen(f"{what}.")


def given(workload: Workload, name: str) -> bool:
    """Whether a variable has a value, whatever it is."""
    if name not in workload.env:
        return False
    with suppress(UnknownError):
        return workload.env[name] != ""
    return True  # what comes from a Secret


def is_userspace(workload: Workload) -> bool:
    """What containerboot takes it for; flags of tailscaled make no difference to it."""
    return is_true(workload.env.get("TS_USERSPACE", ""), default=True)


def wrong_tags(workload: Workload) -> Iterator[str]:
    """Tags that Tailscale does not take."""
    try:
        rules.tags(tuple(dict.fromkeys(workload.tags)))
    except ValueError as error:
        yield str(error)


def kernel_only(name: str, workload: Workload) -> Iterator[str]:
    """A variable that needs kernel networking."""
    on = is_true(workload.env.get(name, "")) if name in (INGRESS, OPTIMIZATIONS) else given(workload, name)
    if on and is_userspace(workload):
        yield f"{name} needs TS_USERSPACE=false"


def exclusive(one: str, other: str, workload: Workload) -> Iterator[str]:
    """Two variables that exclude each other."""
    if given(workload, one) and given(workload, other):
        yield f"{one} and {other} cannot both be set"


def exclusive_with_empty(name: str, workload: Workload) -> Iterator[str]:
    """A variable that excludes a configuration file even where it is empty."""
    if name in workload.env and given(workload, CONFIG_DIR):
        yield f"{CONFIG_DIR} and {name} cannot both be set"


def needs(name: str, other: str, workload: Workload) -> Iterator[str]:
    """A variable that is nothing without another one."""
    if given(workload, name) and not given(workload, other):
        yield f"{name} needs {other}"


def ingress_needs(other: str, workload: Workload) -> Iterator[str]:
    """What the proxy of a cluster's traffic needs."""
    if is_true(workload.env.get(INGRESS, "")) and not given(workload, other):
        yield f"{INGRESS} needs {other}"


def needs_secret(name: str, workload: Workload) -> Iterator[str]:
    """What goes only with the state in a Secret."""
    if given(workload, name) and workload.env.get("TS_KUBE_SECRET", "tailscale") == "":
        yield f"{name} needs TS_KUBE_SECRET"


def wrong_address(name: str, workload: Workload) -> Iterator[str]:
    """An address that Go cannot read."""
    value = workload.env.get(name, "").replace("{status.podIP}", "$(POD_IP)").replace("[$(POD_IP)]", "$(POD_IP)")
    if name == "TS_LOCAL_ADDR_PORT" and not uses_local_address(workload):
        return
    if value and not rules.is_address_with_port(value):
        yield f"{name} must be an address and a port, such as [::]:9002"


def uses_local_address(workload: Workload) -> bool:
    """Whether containerboot listens there, and so looks at it."""
    on = (is_true(workload.env.get(name, "")) for name in ("TS_ENABLE_METRICS", "TS_ENABLE_HEALTH_CHECK"))
    return any(on) or given(workload, "TS_EGRESS_PROXIES_CONFIG_PATH")


def two_health_checks(workload: Workload) -> Iterator[str]:
    """The older variable beside the newer one."""
    if given(workload, "TS_HEALTHCHECK_ADDR_PORT") and is_true(workload.env.get("TS_ENABLE_HEALTH_CHECK", "")):
        yield "TS_HEALTHCHECK_ADDR_PORT and TS_ENABLE_HEALTH_CHECK cannot both be set; keep the second"


def wrong_time_out(workload: Workload) -> Iterator[str]:
    """A time that Go cannot read."""
    try:
        rules.env_value("TS_BOOT_TIMEOUT", workload.env.get("TS_BOOT_TIMEOUT", ""))
    except ValueError as error:
        yield str(error).removeprefix("env: ")


def wrong_flags(workload: Workload) -> Iterator[str]:
    """Boolean flags with another value, or with one that stands behind a space, which Go takes for an argument."""
    words = workload.env.get("TS_EXTRA_ARGS", "").split()
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in BOOLEAN_FLAGS:
            continue
        if equals and value not in BOOLEANS:
            yield f"--{name}={value} is no Boolean: write --{name}=true or --{name}=false"
        elif not equals and following and not following.startswith("-"):
            yield f"--{name} {following}: write --{name}={following}, without a space"


REFUSALS: tuple[Refusal, ...] = (
    wrong_tags,
    *(partial(kernel_only, name) for name in (*rules.KERNEL_ONLY_ENV, INGRESS)),
    *(partial(exclusive, one, other) for one, other in EXCLUSIVE),
    *(partial(exclusive_with_empty, name) for name in EVEN_IF_EMPTY),
    partial(needs, "TS_ID_TOKEN", "TS_CLIENT_ID"),
    partial(needs, "TS_AUDIENCE", "TS_CLIENT_ID"),
    partial(ingress_needs, "TS_SERVE_CONFIG"),
    partial(ingress_needs, "POD_IP"),
    partial(needs_secret, "TS_EGRESS_PROXIES_CONFIG_PATH"),
    partial(needs_secret, "TS_INGRESS_PROXIES_CONFIG_PATH"),
    *(partial(wrong_address, f"TS_{name}_ADDR_PORT") for name in ("HEALTHCHECK", "LOCAL", "DEBUG")),
    two_health_checks,
    wrong_time_out,
    wrong_flags,
)
"""All of settings.go's `validate`, but for a key beside another credential, which is `two-credentials`; and what
`tailscale up` refuses."""
