"""What `doctor` and `preflight` say of a tailnet that is set up wrong: on one of its own, for every device feels it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tailscale_sidecar import OAuthClient, SplitDns
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Deployment, Workspace
from tests.support.doctor import await_finding, by_api, doctor, names, target
from tests.support.preflight import preflight

WRONG_DNS: dict[str, tuple[dict[str, object], str | None]] = {
    "magic-dns-off": ({"magic_dns": False}, None),
    "split-dns-missing": ({"split": {}}, "cluster-dns-fails"),
    "split-dns-elsewhere": ({"split": {"svc.cluster.local": ["10.200.0.2"]}}, "cluster-dns-fails"),
}
"""Settings by the name of what is wrong with them, and what the pods feel of it."""


@pytest.fixture(scope="module")
def app(shared_workspace: Workspace) -> Deployment:
    """A replica that asks Tailscale's resolver for all names."""
    return shared_workspace.deploy(dns=SplitDns())


@pytest.fixture
def settings(tailnet: Tailnet) -> Iterator[Tailnet]:
    """A tailnet whose settings are as before in the end."""
    before = {path: tailnet.call("GET", path) for path in ("/lab/dns", "/lab/settings")}
    yield tailnet
    for path, found in before.items():
        tailnet.call("PUT", path, found)


@pytest.mark.parametrize(
    ("defect", "dns", "felt"), [(name, *wrong) for name, wrong in WRONG_DNS.items()], ids=WRONG_DNS
)
def test_dns_settings_that_do_not_fit_are_named_before_and_after_the_first_up(
    app: Deployment, settings: Tailnet, defect: str, dns: dict[str, object], felt: str | None
) -> None:
    settings.call("PUT", "/lab/dns", dns)
    assert defect in names(preflight(app.workspace, "--dns=split"))
    await_finding(app, *filter(None, (defect, felt)))


def test_a_replica_whose_look_ups_do_not_reach_tailscales_resolver_is_named(app: Deployment) -> None:
    rule = "OUTPUT --destination 100.100.100.100 --jump REJECT"
    app.exec("sh", "-c", f"iptables --insert {rule}", container="tailscale")
    try:
        await_finding(app, "tailnet-dns-fails", "cluster-dns-fails")
    finally:
        app.exec("sh", "-c", f"iptables --delete {rule}", container="tailscale")


def test_a_device_that_waits_for_approval_is_named_and_the_way_out(workspace: Workspace, settings: Tailnet) -> None:
    settings.call("PUT", "/lab/settings", {"device_approval": True})
    secret = f"{settings.oauth_client()[1]}&preauthorized=false"
    app = workspace.deploy(wait=False, auth=OAuthClient(client_secret=secret))

    def found() -> set[str]:
        return names(doctor(workspace, target(app), "--no-exec", **by_api(settings)))

    app.wait_for("the finding", lambda: "device-not-approved" in found())


def test_a_replica_that_lost_the_control_plane_is_named_whether_the_api_answers_or_not(
    app: Deployment, tailnet: Tailnet
) -> None:
    api = by_api(tailnet)
    with tailnet.fault(target="connect", outage=True), tailnet.fault(target="map", outage=True):
        await_finding(app, "control-plane-unreachable")
        await_finding(app, "control-plane-unreachable", **api)


def test_a_replica_that_meets_a_rate_limit_is_named(workspace: Workspace, tailnet: Tailnet) -> None:
    with tailnet.fault(target="register"):
        app = workspace.deploy(wait=False)
        await_finding(app, "rate-limited")
