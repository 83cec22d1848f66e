"""`adopt --filename` on what people have: each kind of file is read as kubectl reads it, or refused in a line."""

from __future__ import annotations

import contextlib
import copy
import datetime
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailscale_sidecar.__main__ import main
from tailscale_sidecar.inspection.manifests import objects
from tailscale_sidecar.report.findings import ExitStatus

Json = dict[str, Any]
POD_NAME: Json = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
AUTH: Json = {"name": "TS_AUTHKEY", "valueFrom": {"secretKeyRef": {"name": "ts", "key": "TS_AUTHKEY"}}}


def workload(kind: str = "StatefulSet", *, sidecar: Json | None = None, pod: Json | None = None, **spec: Any) -> Json:
    """A workload of one replica with a sidecar; the arguments change it."""
    tailscale = {
        "name": "tailscale",
        "image": "ghcr.io/tailscale/tailscale:v1.102.5",
        "securityContext": {"privileged": True},
        "env": [POD_NAME, AUTH, {"name": "TS_KUBE_SECRET", "value": "$(POD_NAME)"}],
        **(sidecar or {}),
    }
    pods = {"containers": [{"name": "app", "image": "nginx:1.29"}, tailscale], **(pod or {})}
    made: Json = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "db", "namespace": "web"}}
    if kind == "Pod":
        return {**made, "apiVersion": "v1", "spec": pods}
    service = {"serviceName": "db"} if kind == "StatefulSet" else {}
    template = {"metadata": {"labels": {"app": "db"}}, "spec": pods}
    return {**made, "spec": {**service, "selector": {"matchLabels": {"app": "db"}}, "template": template, **spec}}


def adopt(folder: Path, text: str, *arguments: str) -> tuple[int, str, str]:
    """The status, the program, and the rest."""
    file = folder / "manifest.yaml"
    file.write_text(text, encoding="utf-8")
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        status = main(["adopt", f"--filename={file}", *arguments])
    return status, out.getvalue(), error.getvalue()


def dumped(*documents: Any) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)


TAKEN = {
    "as it is": dumped(workload()),
    "JSON": json.dumps(workload()),
    "a List": dumped({"kind": "List", "items": [{"kind": "ConfigMap", "metadata": {"name": "a"}}, workload(), None]}),
    "a typed list": dumped({"kind": "StatefulSetList", "items": [{k: v for k, v in workload().items() if k != "kind"}]}),
    "a value left empty": dumped(workload(replicas=None, pod={"volumes": None, "initContainers": None})),
    "a date as a value": dumped(workload(sidecar={"args": None})).replace("nginx:1.29", "nginx:1.29\n        env: [{name: A, value: 2024-01-01}]"),
    "an object with generateName beside it": dumped({"kind": "Job", "metadata": {"generateName": "j-"}}, workload()),
    "one of the same kind without a name": dumped({"kind": "StatefulSet", "metadata": {}, "spec": {}}, workload()),
    "a document without a kind": dumped({"image": {"tag": "x"}}, workload()),
    "documents that are no objects": dumped([1], None, "x", 1, workload()),
    "a kind of somebody's own": dumped({"kind": "Widget", "metadata": [], "spec": []}, workload()),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_a_file_is_read_as_kubectl_reads_it(tmp_path: Path, case: str) -> None:
    status, program, said = adopt(tmp_path, TAKEN[case])
    assert status == ExitStatus.WELL, said
    assert "TailscaleSidecarStatefulSetArgs(" in program


REFUSED = {
    "a template": ("metadata: {name: {{ .Values.name }}}", "render templates first"),
    "no YAML": ("a: [", "is not YAML: line 1"),
    "nothing": ("", "there are no objects"),
    "another kind": (dumped(workload("DaemonSet")), "there are DaemonSet db"),
    "a list where a map belongs": (dumped({**workload(), "spec": []}), "StatefulSet db.spec must be"),
    "a map where a list belongs": (dumped(workload(pod={"containers": {}})), "containers must be a list"),
    "a number where text belongs": (dumped(workload(pod={"schedulerName": 1})), "schedulerName must be text"),
    "a container without a name": (dumped(workload(pod={"containers": [{"image": "a"}]})), "containers[0].name is missing"),
    "an alias of what it is in": ("kind: Pod\nspec: &a [*a]", "is nested too deeply"),
    "two of them": (dumped(workload(), workload("Deployment")), "name one of StatefulSet web/db, Deployment web/db"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_of_which_nothing_can_be_made_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    text, why = REFUSED[case]
    status, program, said = adopt(tmp_path, text)
    assert (status, program, said.count("\n")) == (ExitStatus.BLIND, "", 1)
    assert why in said


def test_a_namespace_that_the_file_leaves_open_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    made = workload()
    del made["metadata"]["namespace"]
    assert 'namespace="other"' in adopt(tmp_path, dumped(made), "--namespace=other")[1]
    status, _, said = adopt(tmp_path, dumped(made), "web/db", "--namespace=other")
    assert status == ExitStatus.BLIND
    assert "web/db is not in namespace other" in said


def test_the_manifest_may_come_by_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(dumped(workload())))
    assert main(["adopt", "--filename=-"]) == ExitStatus.WELL
    assert "TailscaleSidecarStatefulSetArgs(" in capsys.readouterr().out


# Where the settings come from


def settings_of(*, env: list[Json] | None = None, **sidecar: Any) -> Json:
    """A workload whose sidecar has these variables beside its credential."""
    return workload(sidecar={"env": [POD_NAME, AUTH, *(env or [])], **sidecar})


CONFIG: Json = {
    "kind": "Secret",
    "metadata": {"name": "config", "namespace": "web"},
    "stringData": {
        "TS_KUBE_SECRET": "db-state",
        "TS_USERSPACE": "false",
        "TS_EXTRA_ARGS": "--advertise-routes=10.9.0.0/16",
    },
}


def test_settings_that_come_from_a_secret_of_the_file_are_those_of_the_program(tmp_path: Path) -> None:
    made = settings_of(envFrom=[{"secretRef": {"name": "config"}}])
    status, program, said = adopt(tmp_path, dumped(CONFIG, made))
    assert status == ExitStatus.WELL, said
    assert 'advertise_routes=["10.9.0.0/16"]' in program
    assert "UserspaceNetworking" not in program
    assert "kubectl get secret db-state --namespace web" in said
    assert "get secret tailscale " not in said


UNKNOWN: dict[str, tuple[Json, str]] = {
    "all of an object": (settings_of(envFrom=[{"secretRef": {"name": "gone"}}]), "from Secret gone, which is not there"),
    "a key of a ConfigMap": (
        settings_of(env=[{"name": "TS_KUBE_SECRET", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "k"}}}]),
        "its variable TS_KUBE_SECRET comes from ConfigMap gone, which is not there",
    ),
    "a switch": (
        settings_of(env=[{"name": "TS_USERSPACE", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]),
        "its variable TS_USERSPACE comes from Secret gone, which is not there",
    ),
    "what another refers to": (
        settings_of(
            env=[
                {"name": "STATE", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "k"}}},
                {"name": "TS_KUBE_SECRET", "value": "$(STATE)"},
            ]
        ),
        "its variable STATE comes from ConfigMap gone, which is not there",
    ),
    "the default Secret": (settings_of(), "its identity is in the Secret tailscale"),
    "a folder beside the default Secret": (
        settings_of(env=[{"name": "TS_STATE_DIR", "value": "/state"}]),
        "its identity is in the Secret tailscale, and not in TS_STATE_DIR",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_not_known_is_named_and_nobody_elses_identity_is_copied(tmp_path: Path, case: str) -> None:
    made, why = UNKNOWN[case]
    status, program, said = adopt(tmp_path, dumped(made))
    assert (status, program) == (ExitStatus.BLIND, "")
    assert why in said
    assert "kubectl" not in said


def test_a_program_that_is_a_device_by_itself_is_no_sidecar(tmp_path: Path) -> None:
    made = workload(sidecar={"name": "gateway", "image": "example.com/gateway:v0.2.0", "env": [AUTH]})
    status, program, _ = adopt(tmp_path, dumped(made))
    assert (status, program) == (ExitStatus.BLIND, "")


def test_a_script_that_starts_tailscaled_keeps_its_identity(tmp_path: Path) -> None:
    script = (
        'iptables -A X\ntailscaled --state=/state/a.state --port=41641 &\ntailscale up --auth-key="$TS_AUTHKEY" --ssh'
    )
    sidecar = {
        "env": [AUTH],
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "ts", "mountPath": "/state"}],
    }
    claim = {"metadata": {"name": "ts"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    status, program, said = adopt(tmp_path, dumped(workload(sidecar=sidecar, volumeClaimTemplates=[claim])))
    assert status == ExitStatus.WELL, said
    assert "-- cat /state/a.state" in said
    assert 'extra_args=["--ssh=true"]' in program
    for lost in ("not run any more: iptables", "cannot be given: --port=41641", "volume_claim_templates: ts"):
        assert lost in program.replace("\n#  ", "")


def test_all_that_is_left_out_of_the_sidecar_is_listed(tmp_path: Path) -> None:
    sidecar = {
        "lifecycle": {"preStop": {"exec": {"command": ["tailscale", "logout"]}}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 9002}},
        "ports": [{"name": "wg", "containerPort": 41641, "protocol": "UDP", "hostPort": 41641}],
        "workingDir": "/x",
        "securityContext": {"privileged": True, "runAsUser": 0},
        "volumeMounts": [{"name": "x", "mountPath": "/etc/resolv.conf"}],
    }
    _, program, _ = adopt(
        tmp_path,
        dumped(workload(sidecar=sidecar, pod={"volumes": None} | {"volumes": [{"name": "x", "emptyDir": {}}]})),
    )
    text = program.replace("\n#  ", "")
    for lost in ("lifecycle", "livenessProbe", "workingDir", "runAsUser", "wg 41641/UDP (hostPort 41641)", "volumes x"):
        assert lost in text, lost


def test_the_port_of_an_older_variable_is_the_programs(tmp_path: Path) -> None:
    env = [
        POD_NAME,
        AUTH,
        {"name": "TS_KUBE_SECRET", "value": "$(POD_NAME)"},
        {"name": "TS_HEALTHCHECK_ADDR_PORT", "value": "[::]:8080"},
    ]
    _, program, _ = adopt(tmp_path, dumped(workload(sidecar={"env": env})))
    assert "metrics_port=8080" in program
    both = [*env, {"name": "TS_ENABLE_METRICS", "value": "1"}]
    _, program, _ = adopt(tmp_path, dumped(workload(sidecar={"env": both})))
    assert "metrics_port: /healthz, which TS_HEALTHCHECK_ADDR_PORT has on [::]:8080" in program


def test_an_init_container_that_does_more_than_set_sysctls_stays(tmp_path: Path) -> None:
    def init(script: str) -> Json:
        return {"initContainers": [{"name": "init", "image": "busybox", "command": ["sh", "-c", script]}]}

    sysctl = "sysctl -w net.ipv4.ip_forward=1"
    assert '"initContainers"' not in adopt(tmp_path, dumped(workload(pod=init(sysctl))))[1]
    assert '"initContainers"' in adopt(tmp_path, dumped(workload(pod=init(f"{sysctl} && chown 1 /data"))))[1]


# Anything

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        "x",
        [],
        {},
        0,
        -1,
        1.5,
        True,
        datetime.date(2024, 1, 1),
        [None],
        [1],
        [[]],
        [{}],
        {"x": None},
        {"name": 1},
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def everything() -> list[Any]:
    """Documents of each kind that is looked into."""
    role = {"kind": "Role", "metadata": {"name": "db", "namespace": "web"}}
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db-0"]}
    binding = {"kind": "RoleBinding", "metadata": {"name": "db", "namespace": "web"}}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "web"}
    reference = {"kind": "Role", "name": "db", "apiGroup": "rbac.authorization.k8s.io"}
    service = {"kind": "Service", "metadata": {"name": "db", "namespace": "web", "labels": {"a": "b"}}}
    sidecar = {
        "envFrom": [{"secretRef": {"name": "config"}, "prefix": "X_"}],
        "volumeMounts": [{"name": "ts", "mountPath": "/state"}],
        "ports": [{"name": "a", "containerPort": 1}],
        "resources": {"limits": {"cpu": "1"}},
        "command": ["containerboot"],
    }
    claim = {"metadata": {"name": "ts"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    return [
        {**role, "rules": [rule]},
        {**binding, "subjects": [subject], "roleRef": reference},
        {**service, "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 1}]}},
        CONFIG,
        workload(
            sidecar=sidecar, volumeClaimTemplates=[claim], ordinals={"start": 0}, updateStrategy={"type": "OnDelete"}
        ),
    ]


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A file in which up to three places have something that belongs elsewhere."""
    documents: list[Any] = copy.deepcopy(everything())
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(documents)[1:]))
        *parents, last = path
        parent: Any = documents
        for key in parents:
            parent = parent[key]
        parent[last] = copy.deepcopy(draw(JUNK))  # a place may lie in junk, which must not come to lie in itself
    kind = draw(st.sampled_from(["documents", "list", "json"]))
    if kind == "documents":
        return dumped(*documents)
    made = {"kind": "List", "items": documents}
    return dumped(made) if kind == "list" else json.dumps(made, default=str)


@given(text=broken())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_no_file_ends_in_a_traceback(tmp_path: Path, text: str) -> None:
    status, _, said = adopt(tmp_path, text)
    assert status in (ExitStatus.WELL, ExitStatus.FINDINGS, ExitStatus.BLIND)
    assert status != ExitStatus.BLIND or said.startswith("tailscale-sidecar adopt: ")


@given(text=st.text(st.characters(codec="utf-8"), max_size=40) | st.text("{}[]:,-&*!|>'\"#%@ \nak", max_size=30))
@settings(max_examples=200, deadline=None)
def test_no_text_ends_in_a_traceback(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(objects(text, "x"), list)
