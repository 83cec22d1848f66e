"""Calls of Tailscale's API that go well, fail for now, or fail for good."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tailscale_sidecar.clients.errors import TailscaleApiError
from tailscale_sidecar.clients.tailscale import PAUSES, TailscaleApi
from tests.support.tailnet_server import SECRET, TOKEN, TailnetServer, Trouble, tailnet_server

TOKEN_CALL = "POST /api/v2/oauth/token"
DELETE_CALL = "DELETE /api/v2/device/n1"


@pytest.fixture
def server() -> Iterator[TailnetServer]:
    with tailnet_server() as server:
        server.devices.append({"nodeId": "n1", "name": "db-0.example.ts.net"})
        yield server


@pytest.fixture
def pauses() -> list[float]:
    """How long was waited, in seconds; tests do not wait."""
    return []


@pytest.fixture
def api(server: TailnetServer, pauses: list[float]) -> TailscaleApi:
    return TailscaleApi(server.url, client_secret=SECRET, sleep=pauses.append)


def test_an_oauth_client_gets_one_token_for_all_calls(server: TailnetServer, api: TailscaleApi) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(api.device, ["n1"] * 8))
    api.delete("n1")
    assert server.devices == []
    assert server.requests.count(TOKEN_CALL) == 1


def test_a_token_that_ends_is_replaced(server: TailnetServer, api: TailscaleApi) -> None:
    server.token_seconds = 0
    assert api.devices() == api.devices() != []
    assert server.requests.count(TOKEN_CALL) == 2


def test_an_access_token_is_used_as_it_is(server: TailnetServer) -> None:
    TailscaleApi(server.url, access_token=TOKEN).delete("n1")
    assert server.requests == [DELETE_CALL]


def test_a_device_that_is_not_there_is_none_and_well_deleted(api: TailscaleApi) -> None:
    assert api.device("n2") is None
    api.delete("n2")


@pytest.mark.parametrize("trouble", [Trouble(429), Trouble(500), Trouble(503), Trouble()], ids=lambda t: str(t.status))
def test_what_fails_for_now_is_tried_again_ever_more_slowly(
    server: TailnetServer, api: TailscaleApi, pauses: list[float], trouble: Trouble
) -> None:
    api.devices()
    server.troubles += [trouble] * 3
    api.delete("n1")
    assert server.devices == []
    assert pauses == list(PAUSES[:3]) == [1, 2, 4]


def test_the_servers_own_idea_of_a_pause_counts(server: TailnetServer, api: TailscaleApi, pauses: list[float]) -> None:
    server.troubles += [
        Trouble(429, {"Retry-After": "7"}),
        Trouble(429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}),
    ]
    api.delete("n1")
    assert pauses == [7, PAUSES[1]]


@pytest.mark.parametrize("trouble", [Trouble(503), Trouble()], ids=["an answer", "no answer"])
def test_what_never_ends_fails_with_the_call_and_the_reason(
    server: TailnetServer, api: TailscaleApi, pauses: list[float], trouble: Trouble
) -> None:
    api.devices()
    server.troubles += [trouble] * 99
    with pytest.raises(
        TailscaleApiError, match=f"{DELETE_CALL.replace(' ', ' ' + server.url)}: (503 trouble|.*[Rr]emote)"
    ):
        api.delete("n1")
    assert pauses == list(PAUSES)


@pytest.mark.parametrize("trouble", [Trouble(403), Trouble(400), Trouble(429, {"Retry-After": "3600"})])
def test_what_waiting_does_not_help_fails_at_once(
    server: TailnetServer, api: TailscaleApi, pauses: list[float], trouble: Trouble
) -> None:
    server.troubles.append(trouble)
    with pytest.raises(TailscaleApiError, match=f"{trouble.status} trouble"):
        api.delete("n1")
    assert pauses == []


def test_a_wrong_credential_is_said_to_be_wrong_and_is_not_shown(server: TailnetServer) -> None:
    with pytest.raises(TailscaleApiError, match="/oauth/token: 401 API token invalid") as failure:
        TailscaleApi(server.url, client_secret="tskey-client-wrong").devices()
    assert "tskey" not in str(failure.value)


def test_a_server_that_repeats_the_credential_does_not_get_it_shown(server: TailnetServer, api: TailscaleApi) -> None:
    api.devices()
    server.troubles.append(Trouble(403, message=f"{SECRET} with {TOKEN} may not"))
    with pytest.raises(TailscaleApiError, match="403 <secret> with <secret> may not"):
        api.delete("n1")


def test_a_redirect_is_no_place_to_send_the_credential_to(server: TailnetServer, api: TailscaleApi) -> None:
    with tailnet_server() as elsewhere:
        server.troubles.append(Trouble(307, {"Location": f"{elsewhere.url}/api/v2/oauth/token"}))
        with pytest.raises(TailscaleApiError, match="307"):
            api.devices()
        assert elsewhere.requests == []


def test_what_is_no_such_api_is_said_to_be_none(server: TailnetServer, api: TailscaleApi) -> None:
    server.troubles.append(Trouble(404))
    with pytest.raises(TailscaleApiError, match="no API like Tailscale's"):
        api.devices()


def test_an_api_that_knows_of_no_devices_is_not_taken_for_an_empty_tailnet(server: TailnetServer) -> None:
    server.troubles.append(Trouble(404))
    with pytest.raises(TailscaleApiError, match="no API like Tailscale's, or no such tailnet"):
        TailscaleApi(server.url, access_token=TOKEN).devices()
