"""The schema that other languages' SDKs are made from says what the models say."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

import tailscale_sidecar
from tailscale_sidecar import (
    AuthKey,
    OAuthClient,
    SplitDnsRoute,
    TailscaleSidecarArgs,
    TailscaleSidecarStatefulSetArgs,
    WorkloadIdentity,
)
from tailscale_sidecar.package import schema
from tailscale_sidecar.package.spelling import CHOICES, LEFT_OUT, camel_case, members, spelled

SCHEMA: dict[str, Any] = json.loads(schema.checked_in())
RESOURCES = {name.rpartition(":")[2]: resource for name, resource in SCHEMA["resources"].items()}
RESOURCE = RESOURCES["TailscaleSidecarStatefulSet"]
INPUTS = RESOURCE["inputProperties"]


def found(part: Any, key: str) -> Iterator[Any]:
    """All that stands under a key, at any depth."""
    if isinstance(part, dict):
        if key in part:
            yield part[key]
        for inner in part.values():
            yield from found(inner, key)


def named(name: str) -> Any:
    return SCHEMA["types"][f"tailscale-sidecar:index:{name}"]


def test_what_is_checked_in_is_made_from_the_models_of_today() -> None:
    assert schema.checked_in() == schema.text(), "`make schema` writes it anew"


def test_every_argument_is_an_input() -> None:
    expected = {camel_case(name) for name in TailscaleSidecarStatefulSetArgs.model_fields}
    assert INPUTS.keys() == expected | {"readDevices"}
    of_sidecar = {camel_case(name) for name in TailscaleSidecarArgs.model_fields if name not in LEFT_OUT}
    assert RESOURCES["TailscaleSidecar"]["inputProperties"].keys() == of_sidecar | schema.SPECS.keys()


def test_all_that_a_program_in_python_imports_is_a_resource_or_a_type() -> None:
    types = {name.rpartition(":")[2] for name in SCHEMA["types"]}
    created = {f"Created{name}" for name in ("AuthKey", "OAuthClient", "WorkloadIdentity")}
    arguments = {name for name in tailscale_sidecar.__all__ if name.endswith("Args")}
    assert set(tailscale_sidecar.__all__) - arguments <= types | RESOURCES.keys()
    components = {"TailscaleSidecar", "TailscaleSidecarInjection", "TailscaleSidecarStatefulSet"}
    assert RESOURCES.keys() == created | components | {"SplitDnsRoute"}


@pytest.mark.parametrize(
    ("resource", "function"),
    [
        ("CreatedAuthKey", AuthKey.create),
        ("CreatedOAuthClient", OAuthClient.create),
        ("CreatedWorkloadIdentity", WorkloadIdentity.create),
        ("SplitDnsRoute", SplitDnsRoute.__init__),
    ],
)
def test_every_parameter_is_an_input_but_name_and_options(resource: str, function: Callable[..., Any]) -> None:
    parameters = set(inspect.signature(function).parameters) - {"self", "name", "domain", "opts"}
    assert RESOURCES[resource]["inputProperties"].keys() == {camel_case(name) for name in parameters}


def test_only_what_a_program_in_python_must_give_is_required() -> None:
    assert {name: resource["requiredInputs"] for name, resource in RESOURCES.items()} == {
        "CreatedAuthKey": ["tags"],
        "CreatedOAuthClient": ["tags"],
        "CreatedWorkloadIdentity": ["issuer", "namespace", "tags"],
        "SplitDnsRoute": ["nameservers"],
        "TailscaleSidecar": ["auth", "workload"],
        "TailscaleSidecarInjection": ["auth", "namespace"],
        "TailscaleSidecarStatefulSet": ["auth", "podSpec"],
    }
    assert [name for name, kind in SCHEMA["types"].items() if kind.get("required")] == [
        "tailscale-sidecar:index:Device"
    ]


@pytest.mark.parametrize("field", CHOICES)
def test_a_choice_has_a_member_for_each_of_its_classes(field: str) -> None:
    kinds = {name: kind.__name__ for name, kind in members(CHOICES[field]).items()}
    choice = named(CHOICES[field].__name__)
    assert {name: kind["$ref"].rpartition(":")[2] for name, kind in choice["properties"].items()} == kinds
    assert "Exactly one member is given" in choice["description"]


def test_closed_values_are_enums() -> None:
    enums = {
        name.rpartition(":")[2]: [value["value"] for value in kind["enum"]]
        for name, kind in SCHEMA["types"].items()
        if "enum" in kind
    }
    assert enums == {
        "ImagePullPolicy": ["Always", "IfNotPresent", "Never"],
        "PodManagementPolicy": ["OrderedReady", "Parallel"],
        "SecretStateAccess": ["scoped", "guarded", "open"],
        "WorkloadIdentityToken": ["ambient", "projected"],
    }


def test_credentials_are_secret_and_nothing_else_is() -> None:
    secret = {
        (kind.rpartition(":")[2], name)
        for kind, found in SCHEMA["types"].items()
        for name, one in found.get("properties", {}).items()
        if one.get("secret")
    }
    cleanup = {("DeviceCleanup", name) for name in ("accessToken", "clientSecret", "headscaleApiKey", "kubeconfig")}
    assert secret == {("AuthKey", "authKey"), ("OAuthClient", "clientSecret")} | cleanup
    assert not any(one.get("secret") for found in RESOURCES.values() for one in found["inputProperties"].values())


def test_every_reference_leads_to_a_type() -> None:
    for reference in found(SCHEMA, "$ref"):
        package, _, path = reference.partition("#")
        section, _, token = path.strip("/").partition("/")
        if not package:
            assert token in SCHEMA[section]
            continue
        assert package == "/kubernetes/v4.32.0/schema.json"
        group, _, kind = token.removeprefix("kubernetes:").replace("%2F", "/").partition(":")
        module = import_module(f"pulumi_kubernetes.{group.replace('.k8s.io', '').replace('/', '.')}")
        assert hasattr(module, kind if section == "resources" else f"{kind}Args")


def test_everything_is_described_in_the_words_of_these_languages() -> None:
    resources = [found[key] for found in RESOURCES.values() for key in ("inputProperties", "properties")]
    described = [*resources, *found(SCHEMA["types"], "properties")]
    for name, one in ((name, one) for properties in described for name, one in properties.items()):
        said = one["description"]
        assert said, name
        assert said == spelled(said), name
        assert "Args" not in said, name


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ("give cluster_cidrs", "give clusterCidrs"),
        ("use auth=OAuthClient(client_secret=...)", "use auth.oauthClient.clientSecret"),
        ('`SecretState(access="guarded")`', '`state.secretState.access: "guarded"`'),
        ("Use dns=ClusterDns(), and the proxy", "Use dns.clusterDns, and the proxy"),
        ("use advertise_exit_node=True", "use advertiseExitNode: true"),
        ("with --exit-node in extra_args", "with --exit-node in extraArgs"),
        ("`?ephemeral=false&preauthorized=true`", "`?ephemeral=false&preauthorized=true`"),
        ("use access_token=", "use accessToken"),
        ("cannot be given with kind='CronJob': its", "cannot be given with cronJob: its"),
        ("DeviceCleanup(client_secret=...) needs", "deviceCleanup.clientSecret needs"),
        ("the scope `auth_keys`", "the scope `auth_keys`"),
    ],
)
def test_names_are_spelled_as_in_camel_case_and_what_is_no_argument_stays(python: str, expected: str) -> None:
    assert spelled(python) == expected
