"""Credentials that are made in the same program, and the split DNS route: what Pulumi is told to make on the tailnet."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_tailscale
import pytest

from tailscale_sidecar import AuthKey, OAuthClient, SplitDnsRoute, TailscaleSidecarStatefulSet, WorkloadIdentity
from tailscale_sidecar.choices.auth import Auth
from tests.support.arguments import arguments
from tests.support.mocked_engine import MADE_BY_TAILSCALE, SECRET_KEY, Registration, is_secret, registered

TAGS = ["tag:k8s"]
ISSUER = "https://oidc.example.com/cluster"

CREATE: dict[str, Callable[..., Auth]] = {
    "OauthClient": lambda **given: OAuthClient.create("db", **{"tags": TAGS, **given}),
    "TailnetKey": lambda **given: AuthKey.create("db", **{"tags": TAGS, **given}),
    "FederatedIdentity": lambda **given: WorkloadIdentity.create(
        "db", **{"tags": TAGS, "issuer": ISSUER, "namespace": "apps", **given}
    ),
}
EVERY_KIND = pytest.mark.parametrize("kind", CREATE)


def deployed(kind: str, **given: Any) -> list[Registration]:
    """A component with a credential of a kind that is made in the same program."""
    return registered(
        lambda: TailscaleSidecarStatefulSet("db", arguments(auth=CREATE[kind](**given), namespace="apps"))
    )


def one(found: list[Registration], kind: str, name: str = "") -> Registration:
    (only,) = (item for item in found if item.kind == kind and name in item.name)
    return only


@EVERY_KIND
def test_a_credential_is_made_with_its_tags_and_found_by_the_components_name(kind: str) -> None:
    made = one(deployed(kind), kind)
    assert made.name == "db"
    assert (made.inputs["tags"], made.inputs["description"]) == (TAGS, "db")


@pytest.mark.parametrize("kind", ["OauthClient", "FederatedIdentity"])
def test_a_credential_may_mint_auth_keys_and_nothing_else(kind: str) -> None:
    assert one(deployed(kind), kind).inputs["scopes"] == ["auth_keys"]


def test_an_auth_key_serves_all_replicas_without_approval_for_90_days() -> None:
    made = one(deployed("TailnetKey"), "TailnetKey").inputs
    assert (made["reusable"], made["preauthorized"], made["ephemeral"]) == (True, True, False)
    assert made["expiry"] == 90 * 24 * 3600


def test_an_auth_key_can_be_for_one_login_soon() -> None:
    made = one(deployed("TailnetKey", reusable=False, ephemeral=True, expiry_days=1), "TailnetKey").inputs
    assert (made["reusable"], made["ephemeral"], made["expiry"]) == (False, True, 86400)


def test_an_identity_trusts_the_pods_service_account_and_no_other() -> None:
    found = deployed("FederatedIdentity", namespace=pulumi.Output.from_input("apps"))
    account = one(found, "ServiceAccount").inputs["metadata"]
    made = one(found, "FederatedIdentity").inputs
    assert made["issuer"] == ISSUER
    assert made["subject"] == f"system:serviceaccount:{account['namespace']}:{account['name']}"


def test_an_identity_can_trust_a_service_account_of_the_users_own() -> None:
    made = one(deployed("FederatedIdentity", service_account="robot"), "FederatedIdentity")
    assert made.inputs["subject"] == "system:serviceaccount:apps:robot"


def test_the_pods_ask_for_a_token_with_the_audience_that_tailscale_gave_the_identity() -> None:
    pod = one(deployed("FederatedIdentity"), "StatefulSet").inputs["spec"]["template"]["spec"]
    (token,) = (
        v["projected"]["sources"][0]["serviceAccountToken"] for v in pod["volumes"] if v["name"] == "tailscale-id-token"
    )
    assert token["audience"] == MADE_BY_TAILSCALE["FederatedIdentity"]["audience"]


@pytest.mark.parametrize(("kind", "key"), [("OauthClient", "TS_CLIENT_SECRET"), ("TailnetKey", "TS_AUTHKEY")])
def test_the_secret_that_tailscale_gave_out_is_one_in_pulumi_and_reaches_the_pods_by_their_secret(
    kind: str, key: str
) -> None:
    found = deployed(kind)
    auth = one(found, "Secret", "db-auth")
    assert one(found, kind).urn in auth.dependencies
    assert is_secret(auth.inputs["stringData"])
    assert auth.inputs["stringData"]["value"][key] == MADE_BY_TAILSCALE[kind]["key"]
    assert {SECRET_KEY, MADE_BY_TAILSCALE[kind]["key"]}.isdisjoint(
        re.findall(r"[\w-]+", str(one(found, "StatefulSet").inputs))
    )


@EVERY_KIND
def test_the_options_are_those_of_the_resource(kind: str) -> None:
    def program() -> None:
        provider = pulumi_tailscale.Provider("admin", tailnet="example.com")
        CREATE[kind](opts=pulumi.ResourceOptions(provider=provider, protect=True))

    made = one(registered(program), kind)
    assert "pulumi:providers:tailscale::admin::" in made.provider
    assert made.protect


def test_a_description_has_only_characters_that_tailscale_takes() -> None:
    (made,) = (item for item in registered(lambda: OAuthClient.create("a_b." * 20, tags=TAGS)) if item.name[0] == "a")
    assert re.fullmatch(r"[A-Za-z0-9 -]{50}", made.inputs["description"])


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no tags": (lambda: OAuthClient.create("db", tags=[]), "tags is required"),
    "one tag as text": (lambda: AuthKey.create("db", tags="tag:k8s"), "tags is required, as a list"),
    "a tag of another form": (lambda: OAuthClient.create("db", tags=["k8s"]), "'k8s' is not a tag"),
    "a key for ever": (lambda: AuthKey.create("db", tags=TAGS, expiry_days=365), "expiry_days is 1 to 90"),
    "an issuer that nobody can trust": (
        lambda: WorkloadIdentity.create("db", issuer="http://x", namespace="apps", tags=TAGS),
        "issuer must be an https:// URL",
    ),
    "a namespace of another form": (
        lambda: WorkloadIdentity.create("db", issuer=ISSUER, namespace="*", tags=TAGS),
        "namespace is no name",
    ),
    "a domain that Tailscale would write otherwise": (
        lambda: SplitDnsRoute("svc.cluster.local.", ["10.96.0.10"]),
        "no dot at the end",
    ),
    "a nameserver by name": (lambda: SplitDnsRoute("a.test", ["dns.a.test"]), "'dns.a.test' is not an IP address"),
    "one nameserver as text": (lambda: SplitDnsRoute("a.test", "10.96.0.10"), "nameservers is a list"),
    "no nameserver": (lambda: SplitDnsRoute("a.test", []), "at least one IP address"),
}


@pytest.mark.parametrize(("make", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_arguments_are_refused_before_anything_is_made(make: Callable[[], object], error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        registered(make)


WITHOUT_THE_EXTRA: dict[str, Callable[[], object]] = {
    "OAuthClient.create": CREATE["OauthClient"],
    "AuthKey.create": CREATE["TailnetKey"],
    "WorkloadIdentity.create": CREATE["FederatedIdentity"],
    "SplitDnsRoute": lambda: SplitDnsRoute("a.test", ["10.96.0.10"]),
}


@pytest.mark.parametrize("name", WITHOUT_THE_EXTRA)
def test_without_the_extra_an_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "pulumi_tailscale", None)
    with pytest.raises(ImportError, match=rf"{name} needs .* pip install 'tailscale-sidecar\[tailscale\]'"):
        registered(WITHOUT_THE_EXTRA[name])


# Split DNS


def test_a_split_dns_route_is_of_one_domain_and_a_stack_cannot_have_two_of_it() -> None:
    address = pulumi.Output.from_input("10.96.0.10")
    found = registered(lambda: SplitDnsRoute("svc.cluster.local", [address, "fd00:10:96::a"]))
    made = one(found, "DnsSplitNameservers")
    assert made.inputs == {"domain": "svc.cluster.local", "nameservers": ["10.96.0.10", "fd00:10:96::a"]}
    assert made.parent == one(found, "SplitDnsRoute").urn
    assert one(found, "SplitDnsRoute").name == "svc.cluster.local"


def test_a_protected_split_dns_route_is_protected() -> None:
    found = registered(
        lambda: SplitDnsRoute("a.test", ["10.96.0.10"], pulumi.ResourceOptions(protect=True, retain_on_delete=True))
    )
    route = one(found, "SplitDnsRoute")
    assert (route.protect, route.retain_on_delete) == (True, True)  # what children inherit, in the engine


def test_a_component_with_split_dns_makes_no_route_of_its_own() -> None:
    assert not [item for item in deployed("OauthClient") if "Dns" in item.kind]
