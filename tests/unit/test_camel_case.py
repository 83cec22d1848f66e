"""However a user writes a pod, it becomes the same pod."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from hypothesis import given, settings
from pulumi import _types  # the SDK's own table of names, which its generated code uses too
from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    PodSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    VolumeArgs,
)

from tailscale_sidecar.pod.camel_case import misspelt, to_camel_case
from tests.support import strategies


def normal(value: Any, kind: type = PodSpecArgs) -> Any:
    return to_camel_case(value, kind, "pod_spec")


def snake(value: Any, kind: Any) -> Any:
    """The same value with the SDK's Python names, where `kind` has any."""
    return _rebuilt(value, kind, lambda _, fields: fields)


def args_classes(value: Any, kind: Any) -> Any:
    """The same value in the SDK's args classes."""
    return _rebuilt(value, kind, lambda cls, fields: cls(**fields))


def _rebuilt(value: Any, kind: Any, build: typing.Callable[[Any, Any], Any]) -> Any:
    for choice in (kind, *typing.get_args(kind)):
        if isinstance(choice, type) and _types.is_input_type(choice) and isinstance(value, Mapping):
            names: dict[Any, Any] = {
                other: name for name, other in _types.input_type_py_to_pulumi_names(choice).items()
            }
            kinds = dict(_types.input_type_types(choice))
            return build(
                choice,
                {names.get(key, key): _rebuilt(item, kinds[key], build) for key, item in value.items()},
            )
    if isinstance(value, list):
        (item_kind,) = typing.get_args(kind) or (Any,)
        return [_rebuilt(item, item_kind, build) for item in value]
    return value


@given(strategies.pod_specs())
@settings(deadline=None, max_examples=60, derandomize=True)
def test_a_pod_is_the_same_in_camel_case_in_snake_case_and_in_args_classes(spec: dict[str, Any]) -> None:
    assert normal(spec) == spec
    assert normal(snake(spec, PodSpecArgs)) == spec
    assert normal(args_classes(spec, PodSpecArgs)) == spec


@given(strategies.pod_specs())
@settings(deadline=None, max_examples=20, derandomize=True)
def test_normalising_twice_is_normalising_once(spec: dict[str, Any]) -> None:
    assert normal(normal(spec)) == normal(spec)


@pytest.mark.parametrize(
    ("snake_name", "name", "value"),
    [
        ("set_hostname_as_fqdn", "setHostnameAsFQDN", True),
        ("host_ipc", "hostIPC", False),
        ("host_pid", "hostPID", False),
        ("host_aliases", "hostAliases", []),
        ("enable_service_links", "enableServiceLinks", False),
    ],
)
def test_irregular_names_are_those_of_kubernetes(snake_name: str, name: str, value: object) -> None:
    assert normal({"containers": [], snake_name: value}) == {"containers": [], name: value}
    assert normal({"containers": [], name: value}) == {"containers": [], name: value}


def test_irregular_names_deep_inside_are_those_of_kubernetes() -> None:
    volumes = [
        {"name": "a", "scale_io": {"gateway": "x", "secret_ref": {"name": "y"}, "system": "z"}},
        {"name": "b", "nfs": {"server": "s", "path": "/"}},
        {"name": "c", "iscsi": {"target_portal": "t", "iqn": "i", "lun": 0, "chap_auth_discovery": False}},
        {"name": "d", "fc": {"target_wwns": ["x"]}},
        {"name": "e", "azure_disk": {"disk_name": "n", "disk_uri": "u"}},
    ]
    made = normal({"containers": [], "volumes": volumes})["volumes"]
    assert "scaleIO" in made[0]
    assert made[1]["nfs"] == {"server": "s", "path": "/"}
    assert "chapAuthDiscovery" in made[2]["iscsi"]
    assert made[3]["fc"] == {"targetWWNs": ["x"]}
    assert made[4]["azureDisk"] == {"diskName": "n", "diskURI": "u"}


def test_keys_that_are_the_users_own_are_left_as_they_are() -> None:
    spec = {
        "containers": [{"name": "a", "resources": {"limits": {"example.com/my_gpu": 1, "ephemeral_storage": "1Gi"}}}],
        "node_selector": {"my_label": "run_as_user", "host_ipc": "x"},
    }
    made = normal(spec)
    assert made["nodeSelector"] == {"my_label": "run_as_user", "host_ipc": "x"}
    assert made["containers"][0]["resources"]["limits"] == {"example.com/my_gpu": 1, "ephemeral_storage": "1Gi"}


def test_values_are_left_as_they_are() -> None:
    spec = {"containers": [{"name": "my_app", "command": ["run_as_user", "host_ipc"], "working_dir": "/my_dir"}]}
    assert normal(spec)["containers"] == [
        {"name": "my_app", "command": ["run_as_user", "host_ipc"], "workingDir": "/my_dir"}
    ]


def test_outputs_pass_as_they_are_at_any_depth() -> None:
    leaf: Any
    part: Any
    leaf, part = pulumi.Output.from_input("x"), pulumi.Output.from_input([{"container_port": 80}])
    made = normal(
        PodSpecArgs(
            containers=[
                ContainerArgs(name="a", image=leaf, ports=part, env=[EnvVarArgs(name="A", value=leaf)]),
                ContainerArgs(name="b", ports=[ContainerPortArgs(container_port=80)]),
            ],
            node_selector=leaf,
        )
    )
    first, second = made["containers"]
    assert first["image"] is leaf
    assert first["ports"] is part
    assert first["env"][0]["value"] is leaf
    assert second["ports"] == [{"containerPort": 80}]
    assert made["nodeSelector"] is leaf


def test_dicts_and_args_classes_may_be_mixed() -> None:
    probe: Any = {"httpGet": {"port": 80}, "period_seconds": 3}
    volume: Any = {"size_limit": "1Gi"}
    mixed = {
        "containers": [
            ContainerArgs(
                name="a",
                liveness_probe=probe,
                resources=ResourceRequirementsArgs(limits={"cpu": "1"}),
            ),
            {"name": "b", "readinessProbe": ProbeArgs(period_seconds=5)},
        ],
        "volumes": [VolumeArgs(name="v", empty_dir=volume)],
    }
    assert normal(mixed) == {
        "containers": [
            {
                "name": "a",
                "livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 3},
                "resources": {"limits": {"cpu": "1"}},
            },
            {"name": "b", "readinessProbe": {"periodSeconds": 5}},
        ],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
    }


def test_fields_without_value_are_left_out_and_false_ones_kept() -> None:
    spec: Any = {"containers": [{"name": "a", "image": None, "stdin": False, "command": []}], "subdomain": None}
    assert normal(spec) == {"containers": [{"name": "a", "stdin": False, "command": []}]}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"containers": [{"name": "a", "imag": "x"}]},
            r"pod_spec\.containers\[0\] has no field imag; did you mean image?",
        ),
        (
            {"containers": [{"livenessProbe": {"http_get": {"prot": 80}}}]},
            r"pod_spec\.containers\[0\]\.livenessProbe\.httpGet has no field prot; did you mean port?",
        ),
        ({"containers": ["nginx"]}, r"pod_spec\.containers\[0\] must be ContainerArgs or a dict"),
        ({"containers": [], "intContainers": []}, r"pod_spec has no field intContainers; did you mean initContainers?"),
        ({"containers": [], "workload_ref": {}}, r"pod_spec has no field workload_ref; if Kubernetes has it"),
        ("nginx", r"pod_spec must be PodSpecArgs or a dict"),
    ],
)
def test_what_kubernetes_does_not_have_is_refused_by_its_path(spec: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normal(spec)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"containers": {"name": "a"}}, "containers"),
        ({"containers": "nginx"}, "containers"),
        ({"containers": [{"name": "a", "env": {"A": "1"}}]}, r"containers\[0\]\.env"),
        ({"containers": [{"name": "a", "ports": 80}]}, r"containers\[0\]\.ports"),
        ({"containers": [{"name": "a", "command": "sh"}]}, r"containers\[0\]\.command"),
        ({"containers": [None]}, r"containers\[0\]"),
        ({"containers": [], "volumes": {"name": "v"}}, "volumes"),
    ],
)
def test_what_should_be_a_list_is_refused_by_its_path_if_it_is_none(spec: object, path: str) -> None:
    with pytest.raises(ValueError, match=rf"pod_spec\.{path} must be"):
        normal(spec)


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"stdin": "true"}, r"\.stdin must be True or False"),
        ({"ports": [{"containerPort": "80"}]}, r"\.ports\[0\]\.containerPort must be an integer"),
        ({"env": [{"name": "PORT", "value": 5432}]}, r"\.env\[0\]\.value must be text; write it in quotes"),
        ({"command": ["sleep", 5]}, r"\.command\[1\] must be text"),
        ({"resources": {"limits": "1Gi"}}, r"\.resources\.limits must be a dict"),
    ],
)
def test_a_value_of_another_kind_than_kubernetes_takes_is_refused_by_its_path(
    container: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=rf"pod_spec\.containers\[0\]{message}"):
        normal({"containers": [{"name": "a", **container}]})


@pytest.mark.parametrize("port", [80, "http"])
def test_a_port_may_be_a_number_or_a_name(port: int | str) -> None:
    spec = {"containers": [{"name": "a", "livenessProbe": {"tcpSocket": {"port": port}}}]}
    assert normal(spec) == spec


@pytest.mark.parametrize("limit", [1, "1", 0.5])
def test_a_quantity_may_be_a_number_or_a_text(limit: object) -> None:
    spec = {"containers": [{"name": "a", "resources": {"limits": {"cpu": limit}}}]}
    assert normal(spec) == spec


def test_a_field_that_is_newer_than_the_sdk_is_kept_as_it_is_and_told() -> None:
    newer = {"podGroup": "g", "min_members": [1, {"snake_case": True}]}
    spec = {"containers": [{"name": "a", "restartPolicyOnExit": "Never"}], "workloadReference": newer}
    with pytest.warns(UserWarning, match="does not know this field") as told:
        assert normal(spec) == spec
    assert [str(one.message).partition(":")[0] for one in told] == [
        "pod_spec.containers[0].restartPolicyOnExit",
        "pod_spec.workloadReference",
    ]
    assert {one.filename for one in told} == {__file__}


def test_no_field_of_a_pod_is_taken_for_a_misspelling_of_another() -> None:
    """Or an SDK that does not know it yet would refuse it."""
    taken = {
        (field, misspelt(field, [other for other in fields if other != field]))
        for fields in map(_types.input_type_types, kinds_within(PodSpecArgs))
        for field in fields
    }
    assert {pair for pair in taken if pair[1]} == {("csi", "iscsi"), ("iscsi", "csi")}


def kinds_within(kind: Any) -> set[Any]:
    """A type of the SDK, and those of its fields, at any depth."""
    found, left = set(), [kind]
    while left:
        one = left.pop()
        left += typing.get_args(one)
        if isinstance(one, type) and _types.is_input_type(one) and one not in found:
            found.add(one)
            left += _types.input_type_types(one).values()
    return found
