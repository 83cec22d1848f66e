"""What a hand-written workload says of its sidecar, as containerboot and tailscaled read it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tailscale_sidecar.clients.errors import ClusterError
from tailscale_sidecar.inspection.env_sources import read_sources
from tailscale_sidecar.inspection.known_workload import KnownWorkload
from tailscale_sidecar.inspection.unknown_values import UnknownError, known
from tailscale_sidecar.inspection.workload import StateStore, Workload, is_true, sidecar_of, workloads

Json = dict[str, Any]


def workload(kind: type[Workload] = Workload, **sidecar: Any) -> Workload:
    """A StatefulSet whose sidecar is as given; of `env`, a dict has plain values."""
    env = sidecar.pop("env", {})
    env = [{"name": name, "value": value} for name, value in env.items()] if isinstance(env, dict) else env
    container = {"name": "tailscale", "image": "tailscale/tailscale:v1.102.5", "env": env, **sidecar}
    template = {
        "metadata": {"labels": {"app": "db", "team": "a"}},
        "spec": {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]},
    }
    spec = {"template": template, "replicas": 2, "selector": {"matchLabels": {"app": "db"}}}
    return kind(known({"kind": "StatefulSet", "metadata": {"name": "db", "namespace": "web"}, "spec": spec}))


def script(text: str, **sidecar: Any) -> Workload:
    """One whose sidecar runs a shell's script."""
    return workload(command=["/bin/sh", "-c"], args=[text], **sidecar)


# Booleans


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "True", "TRUE"])
def test_what_go_takes_for_true(text: str) -> None:
    assert is_true(text)


@pytest.mark.parametrize("text", ["0", "f", "F", "false", "False", "FALSE"])
def test_what_go_takes_for_false(text: str) -> None:
    assert not is_true(text, default=True)


@pytest.mark.parametrize("text", ["", "yes", "no", "on", "tRUE", " true", "2"])
@pytest.mark.parametrize("default", [True, False])
def test_what_is_no_boolean_to_go_is_the_default(text: str, default: bool) -> None:
    assert is_true(text, default=default) is default


def test_a_switch_that_go_cannot_read_leaves_the_sidecar_in_userspace() -> None:
    assert not workload(env={"TS_USERSPACE": "no"}).is_kernel
    assert workload(env={"TS_USERSPACE": "F"}).is_kernel


# Where the identity is

MOUNTED: Json = {"volumeMounts": [{"name": "ts", "mountPath": "/state"}, {"name": "tmp", "mountPath": "/state/tmp"}]}


@pytest.mark.parametrize(
    ("env", "store"),
    [
        ({}, StateStore("secret", "tailscale")),
        ({"TS_STATE_DIR": "/state"}, StateStore("secret", "tailscale")),
        ({"TS_KUBE_SECRET": ""}, StateStore("memory")),
        ({"TS_KUBE_SECRET": "", "TS_STATE_DIR": "/state"}, StateStore("volume", file="/state/tailscaled.state")),
        (
            {"TS_KUBE_SECRET": "", "TS_STATE_DIR": "/state/tmp/x"},
            StateStore("pod", file="/state/tmp/x/tailscaled.state"),
        ),
        ({"TS_KUBE_SECRET": "", "TS_STATE_DIR": "/x"}, StateStore("container", file="/x/tailscaled.state")),
        ({"TS_TAILSCALED_EXTRA_ARGS": "--state=mem:"}, StateStore("memory")),
        ({"TS_TAILSCALED_EXTRA_ARGS": "--state=/state/a"}, StateStore("volume", file="/state/a")),
        ({"TS_TAILSCALED_EXTRA_ARGS": "-state /state/a"}, StateStore("volume", file="/state/a")),
        ({"TS_TAILSCALED_EXTRA_ARGS": "--state=kube:other"}, StateStore("secret", "other")),
        ({"TS_TAILSCALED_EXTRA_ARGS": "--statedir=/state"}, StateStore("secret", "tailscale")),
        ({"TS_TAILSCALED_EXTRA_ARGS": "--state=arn:aws:ssm:x"}, StateStore("elsewhere", "arn:aws:ssm:x")),
        (
            {"TS_KUBE_SECRET": "", "TS_TAILSCALED_EXTRA_ARGS": "--statedir=/state"},
            StateStore("memory"),  # containerboot has given --state=mem:
        ),
        (
            {"TS_KUBE_SECRET": "", "TS_STATE_DIR": "/x", "TS_TAILSCALED_EXTRA_ARGS": "--statedir=/state"},
            StateStore("volume", file="/state/tailscaled.state"),
        ),
    ],
)
def test_the_state_is_where_tailscaled_puts_it(env: Json, store: StateStore) -> None:
    assert workload(env=env, **MOUNTED).state == store


def test_a_field_that_all_pods_share_is_filled_in() -> None:
    fields = {"NS": "metadata.namespace", "TEAM": "metadata.labels['team']", "POD": "metadata.name"}
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    made = workload(env=[*env, {"name": "TS_KUBE_SECRET", "value": "$(NS)-$(TEAM)-$(POD)"}])
    assert made.state_secret("db-1") == "web-a-db-1"


# Commands of one's own


def test_a_script_that_starts_tailscaled_says_where_the_identity_is() -> None:
    made = script(
        'tailscaled --state=/state/a.state --statedir=/state &\n# wait\nsleep 5\ntailscale up --authkey="$TS_AUTHKEY" '
        '--hostname="$(hostname)" --advertise-tags=tag:k8s \\\n  --accept-routes\nwait',
        **MOUNTED,
    )
    assert made.state == StateStore("volume", file="/state/a.state")
    assert made.is_kernel
    assert (made.hostname("db-1"), made.tags, made.accepts_routes, made.accepts_dns) == (
        "db-1",
        ["tag:k8s"],
        True,
        True,
    )


@pytest.mark.parametrize(
    ("line", "store"),
    [
        ("tailscaled", StateStore("container", file="/var/lib/tailscale/tailscaled.state")),
        ("exec /usr/sbin/tailscaled --statedir /state", StateStore("volume", file="/state/tailscaled.state")),
        ("tailscaled --state=kube:ts-$(POD)", StateStore("secret", "ts-{metadata.name}")),
        ("tailscaled --state=kube:$POD", StateStore("secret", "{metadata.name}")),
        ("tailscaled --state=${DIR:-/state}/s >/dev/null 2>&1", StateStore("volume", file="/dir/s")),
        ("tailscaled --tun=userspace-networking --state=mem:", StateStore("memory")),
    ],
)
def test_a_script_is_read_as_a_shell_does(line: str, store: StateStore) -> None:
    mounts = [*MOUNTED["volumeMounts"], {"name": "ts", "mountPath": "/dir"}]
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "DIR", "value": "/dir"}]
    made = script(f"{line} & tailscale up", env=env, volumeMounts=mounts)
    assert made.state == store
    assert made.is_kernel is ("userspace" not in line)


UNREADABLE: dict[str, Json] = {
    "a file": {"command": ["/scripts/start.sh"]},
    "a file by a shell": {"command": ["sh", "/scripts/start.sh"]},
    "a variable of the script's own": {"command": ["sh", "-c", "D=/a; tailscaled --state=$D/s & tailscale up"]},
    "what a command prints": {"command": ["sh", "-c", "tailscaled --state=/a/$(cat /x) & tailscale up"]},
    "a configuration file": {"command": ["sh", "-c", "tailscaled --config=/etc/ts.json & tailscale up"]},
    "two tailscaleds": {"command": ["sh", "-c", "tailscaled --state=a & tailscaled --state=b & tailscale up"]},
    "a login by hand": {"command": ["tailscaled", "--state=/a"]},
    "containerboot that is told otherwise": {"command": ["sh", "-c", "export TS_KUBE_SECRET=x; exec containerboot"]},
    "half a quotation": {"command": ["sh", "-c", "tailscaled 'x & tailscale up"]},
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_command_that_does_not_tell_is_unknown_and_no_default(case: str) -> None:
    assert workload(**UNREADABLE[case]).start is None
    hidden = workload(KnownWorkload, **UNREADABLE[case])
    for read in (lambda: hidden.state, lambda: hidden.is_kernel, lambda: hidden.tags, lambda: hidden.accepts_dns):
        with pytest.raises(UnknownError):
            read()


@pytest.mark.parametrize(
    "sidecar",
    [
        {"command": ["/usr/local/bin/containerboot"]},
        {"args": ["/usr/local/bin/containerboot"]},
        {"command": ["sh", "-c", "sysctl -w net.ipv4.ip_forward=1 && exec /usr/local/bin/containerboot"]},
    ],
)
def test_containerboot_may_be_named(sidecar: Json) -> None:
    assert workload(env={"TS_KUBE_SECRET": "a"}, **sidecar).state == StateStore("secret", "a")


# What is a sidecar


@pytest.mark.parametrize(
    ("container", "is_one"),
    [
        ({"image": "tailscale/tailscale:v1"}, True),
        ({"image": "mirror.example.com/tailscale"}, True),
        ({"image": "ghcr.io/tailscale/golink", "env": [{"name": "TS_AUTHKEY"}]}, False),
        ({"image": "example.com/gateway", "env": [{"name": "TS_CLIENT_ID"}, {"name": "TS_CLIENT_SECRET"}]}, False),
        ({"image": "tailscale/tsidp", "env": [{"name": "TS_STATE_DIR"}, {"name": "TS_HOSTNAME"}]}, False),
        ({"image": "example.com/ts", "env": [{"name": "TS_KUBE_SECRET"}]}, True),
        ({"image": "example.com/ts", "env": [{"name": "TS_USERSPACE"}]}, True),
        ({"image": "example.com/vpn", "command": ["sh", "-c", "tailscaled --tun=x & tailscale up"]}, True),
        ({"image": "example.com/exporter", "args": ["--tailscaled.socket=/run/x"]}, False),
    ],
)
def test_a_sidecar_runs_containerboot_or_tailscaled(container: Json, is_one: bool) -> None:
    assert (sidecar_of({"containers": [{"name": "a", **container}]}) is not None) is is_one


def test_the_tag_of_another_programs_image_is_no_release_of_tailscale() -> None:
    assert workload(image="example.com/ts:v0.2.0", env={"TS_USERSPACE": "false"}).release is None
    assert workload(image="example.com/tailscale:v1.78.1").release == (1, 78, 1)


def test_a_workload_without_a_template_is_none_of_tailscales() -> None:
    kinds = ("StatefulSet", "Pod", "CronJob")
    assert not list(workloads([{"kind": kind, "metadata": {}, "spec": {}} for kind in kinds], kinds))


# Variables from elsewhere

OBJECTS: dict[tuple[str, str], Json] = {
    ("Secret", "s"): {
        "data": {"TS_KUBE_SECRET": base64.b64encode(b"$(x)").decode()},
        "stringData": {"TS_AUTHKEY": "k"},
    },
    ("ConfigMap", "c"): {"data": {"TS_USERSPACE": "false", "dir": "/a"}},
}


def sources(**container: Any) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The variables as read, and what could not be."""

    def find(kind: str, name: str) -> Json | None:
        if name == "forbidden":
            raise ClusterError("403 no", 403)
        return OBJECTS.get((kind, name))

    read, unread = read_sources({"name": "a", **container}, find)
    assert "envFrom" not in read
    return workload(env=read["env"]).env, [(one.variable, one.source) for one in unread]


def test_settings_from_a_secret_and_a_configmap_are_read() -> None:
    env, unread = sources(
        envFrom=[{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}, "prefix": "C_"}],
        env=[
            {"name": "TS_USERSPACE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "TS_USERSPACE"}}},
            {"name": "TS_STATE_DIR", "value": "$(C_dir)/b"},
        ],
    )
    assert unread == []
    assert env["TS_KUBE_SECRET"] == "$(x)"  # Kubernetes fills nothing in there
    assert (env["TS_USERSPACE"], env["TS_STATE_DIR"], env["TS_AUTHKEY"]) == ("false", "/a/b", "")


def test_a_variable_of_ones_own_goes_before_those_of_an_object() -> None:
    env, _ = sources(envFrom=[{"configMapRef": {"name": "c"}}], env=[{"name": "TS_USERSPACE", "value": "true"}])
    assert env["TS_USERSPACE"] == "true"


@pytest.mark.parametrize(
    ("container", "unread"),
    [
        ({"envFrom": [{"secretRef": {"name": "forbidden"}}]}, [("", "Secret forbidden")]),
        ({"envFrom": [{"configMapRef": {"name": "gone"}}]}, [("", "ConfigMap gone")]),
        ({"envFrom": [{"configMapRef": {"name": "gone", "optional": True}}]}, []),
        (
            {"env": [{"name": "TS_X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "no"}}}]},
            [("TS_X", "ConfigMap c")],
        ),
        ({"env": [{"name": "TS_X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "no", "optional": True}}}]}, []),
        (
            {"env": [{"name": "TS_X", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
            [("TS_X", "resourceFieldRef")],
        ),
        ({"env": [{"name": "TS_AUTHKEY", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]}, []),
        ({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]}, []),
    ],
)
def test_what_cannot_be_read_is_named(container: Json, unread: list[tuple[str, str]]) -> None:
    assert sources(**container)[1] == unread
