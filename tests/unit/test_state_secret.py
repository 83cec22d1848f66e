"""What is read from a state Secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tailscale_sidecar import Device
from tailscale_sidecar.devices.outputs import recorded
from tailscale_sidecar.devices.state_secret import StateSecret, public_keys

RECORDED = {
    "device_id": "n1CNTRL",
    "device_fqdn": "db-0.tail1234.ts.net.",
    "device_ips": '["100.64.0.7","fd7a:115c:a1e0::7"]',
}
# Curve25519's example, RFC 7748, section 6.1 (Bob's keys)
PRIVATE = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
PUBLIC = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"


def secret(**data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": "db-0"}, "data": encoded}


def device_of(**data: str) -> Device | None:
    return recorded(StateSecret.of(secret(**data)))


def test_the_device_has_its_name_without_the_dot_and_one_address_of_each_kind() -> None:
    device = device_of(**RECORDED)
    assert device is not None
    assert dict(device) == {
        "pod": "db-0",
        "device_id": "n1CNTRL",
        "fqdn": "db-0.tail1234.ts.net",
        "ipv4": "100.64.0.7",
        "ipv6": "fd7a:115c:a1e0::7",
    }
    assert (device.pod, device.device_id, device.fqdn) == ("db-0", "n1CNTRL", "db-0.tail1234.ts.net")
    assert (device.ipv4, device.ipv6) == ("100.64.0.7", "fd7a:115c:a1e0::7")


def test_a_tailnet_may_give_out_one_kind_of_address_only() -> None:
    device = device_of(**{**RECORDED, "device_ips": '["fd7a:115c:a1e0::7"]'})
    assert device is not None
    assert (device.ipv4, device.ipv6) == (None, "fd7a:115c:a1e0::7")


@pytest.mark.parametrize("missing", RECORDED)
def test_there_is_no_device_until_all_of_it_is_recorded(missing: str) -> None:
    assert device_of(**{key: value for key, value in RECORDED.items() if key != missing}) is None


@pytest.mark.parametrize("malformed", ["100.64.0.7", "[", "7", '{"v4": "100.64.0.7"}', '["here"]', "[null]"])
def test_addresses_that_are_no_list_of_addresses_are_as_if_not_recorded_yet(malformed: str) -> None:
    data = {**RECORDED, "device_ips": malformed}
    assert StateSecret.of(secret(**data)).addresses == ()
    assert device_of(**data) is None


def test_the_public_keys_are_those_that_the_api_shows() -> None:
    profile = f'{{"Config": {{"PrivateNodeKey": "privkey:{PRIVATE}"}}}}'
    keys = {"_machinekey": f"privkey:{PRIVATE}", "_current-profile": "profile-a1", "profile-a1": profile}
    assert public_keys(secret(**keys)) == {f"nodekey:{PUBLIC}", f"mkey:{PUBLIC}"}


@pytest.mark.parametrize(
    "profile", ["{}", '{"Config": null}', f'{{"Config": {{"PrivateNodeKey": "privkey:{"0" * 64}"}}}}']
)
def test_before_the_first_login_there_is_no_node_key(profile: str) -> None:
    assert public_keys(secret(**{"_current-profile": "profile-a1", "profile-a1": profile})) == frozenset()


def test_a_state_does_not_show_its_keys() -> None:
    assert PRIVATE not in repr(StateSecret.of(secret(_machinekey=f"privkey:{PRIVATE}")))
