"""`TailscaleSidecarInjection` in a program: what it registers, and the arguments that it refuses."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from tailscale_sidecar import (
    DeviceCleanup,
    OAuthClient,
    PersistentVolumeState,
    SecretState,
    TailscaleSidecarInjection,
    TailscaleSidecarInjectionArgs,
    UserspaceNetworking,
)
from tailscale_sidecar.component.mutations import literal
from tests.support.arguments import SECRET
from tests.support.mocked_engine import registered


def arguments(**changes: Any) -> TailscaleSidecarInjectionArgs:
    least = {"namespace": "apps", "auth": OAuthClient(client_secret=SECRET), "tags": ["tag:k8s"]}
    return TailscaleSidecarInjectionArgs(**{**least, **changes})


def policy_of(**changes: Any) -> dict[str, Any]:
    made = registered(lambda: TailscaleSidecarInjection("web", arguments(**changes)))
    (found,) = [r.inputs for r in made if r.kind == "MutatingAdmissionPolicy"]
    return dict(found)


def test_the_policy_is_for_the_pods_of_one_namespace_with_the_label() -> None:
    constraints = policy_of()["spec"]["matchConstraints"]
    assert constraints["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "apps"}
    assert constraints["objectSelector"]["matchLabels"] == {"tailscale-sidecar/inject": "web"}
    labelled = policy_of(pod_labels={"team": "data"})["spec"]["matchConstraints"]
    assert labelled["objectSelector"]["matchLabels"] == {"team": "data"}


def test_two_of_one_name_in_two_namespaces_have_policies_of_their_own() -> None:
    blue, green = (policy_of(namespace=namespace)["metadata"]["name"] for namespace in ("blue", "green"))
    assert blue != green


def test_the_credential_is_in_its_secret_and_not_in_the_policy() -> None:
    assert SECRET not in str(policy_of())


def test_an_output_among_the_arguments_is_in_the_policy_once_it_is_known() -> None:
    found = policy_of(image=pulumi.Output.from_input("registry.example/tailscale:v1.104.5"))
    assert "registry.example/tailscale:v1.104.5" in str(found["spec"]["mutations"])


def test_without_a_resolver_the_apps_containers_stay_as_they_are() -> None:
    expressions = str(policy_of(networking=UserspaceNetworking())["spec"]["mutations"])
    assert "/spec/containers/" not in expressions


def test_a_value_in_cel_is_what_it_is_in_json_whatever_its_parts_are() -> None:
    value = {"a": 1, "b": ["c", True, {"d\n": '"$(X)\\'}], "e": {}}
    assert literal(value) == (
        '{"a": dyn(1), "b": dyn([dyn("c"), dyn(true), dyn({"d\\n": dyn("\\"$(X)\\\\")})]), "e": dyn({})}'
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"namespace": None}, "namespace"),
        ({"replicas": 2}, "as many pods get the sidecar as have the label"),
        ({"hostname": "web"}, "hostname is for replicas"),
        ({"device_cleanup": DeviceCleanup(retain=True)}, "device_cleanup needs state"),
        ({"state": SecretState()}, r"Give SecretState\(access='guarded'\)"),
        ({"state": SecretState(access="guarded")}, "service_account_name is required"),
        ({"state": PersistentVolumeState()}, r"Give SecretState\(access='guarded'\)"),
        ({"pod_labels": {"team": "a b"}}, "pod_labels"),
    ],
)
def test_what_pods_that_are_not_known_beforehand_cannot_have_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        arguments(**changes)
