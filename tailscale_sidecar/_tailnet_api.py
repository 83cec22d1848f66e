"""The few calls of Tailscale's API that removing a device takes (tailscale.com/api), with an answer or a reason."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from typing_extensions import override

ANSWER_SECONDS = 30
"""How long the API may take for one answer."""
PAUSES = (1, 2, 4, 8, 16)
"""Seconds before each further attempt of a call that failed for now."""
LONGEST_PAUSE = 60
"""A longer `Retry-After` than this many seconds is not waited for."""
TOKEN_MARGIN = 60
"""Seconds before its end at which an access token is no longer used."""
NOT_FOUND, TOO_MANY_REQUESTS, SERVER_ERROR = 404, 429, 500
ANY_CLIENT_ID = "some-client-id"
"""The secret names its client; Tailscale's own client sends this (tailscale.com@v1.102.5 feature/oauthkey/oauthkey.go:50)."""


class TailnetApiError(Exception):
    """A call failed for good; the message names the call and the reason, and no credential."""


class TailnetApi:
    """The devices of a tailnet. Threads may share one: they then share its access token."""

    def __init__(
        self,
        url: str,
        *,
        client_secret: str | None = None,
        access_token: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._client_secret = client_secret
        self._token = access_token
        self._token_end = float("inf") if access_token else 0.0
        self._lock = threading.Lock()
        self._sleep = sleep

    def device(self, device_id: str) -> dict[str, Any] | None:
        """A device by its ID, or None if it is not on the tailnet."""
        return self._call("GET", f"/api/v2/device/{quote(device_id, safe='')}")

    def devices(self) -> list[dict[str, Any]]:
        """All devices of the tailnet."""
        found = self._call("GET", "/api/v2/tailnet/-/devices")
        return list(found["devices"]) if found else []

    def delete(self, device_id: str) -> None:
        """Removes a device; one that is not there any more is well."""
        self._call("DELETE", f"/api/v2/device/{quote(device_id, safe='')}")

    def _call(self, method: str, path: str) -> dict[str, Any] | None:
        return self._request(method, path, {"Authorization": f"Bearer {self._valid_token()}"})

    def _valid_token(self) -> str:
        with self._lock:
            if self._token is None or time.monotonic() > self._token_end:
                self._token, seconds = self._new_token()
                self._token_end = time.monotonic() + seconds - TOKEN_MARGIN
            return self._token

    def _new_token(self) -> tuple[str, float]:
        basic = base64.b64encode(f"{ANY_CLIENT_ID}:{self._client_secret}".encode()).decode()
        form = urlencode({"grant_type": "client_credentials"}).encode()
        answer = self._request("POST", "/api/v2/oauth/token", {"Authorization": f"Basic {basic}"}, form)
        if answer is None:
            raise TailnetApiError(f"POST {self._url}/api/v2/oauth/token: 404: this is no API like Tailscale's")
        return str(answer["access_token"]), float(answer.get("expires_in", 0))

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> dict[str, Any] | None:
        """One call, tried again while it fails for now; None for 404."""
        url = self._url + path  # of http or https: the argument api_url was checked
        request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310
        for pause in (*PAUSES, None):
            try:
                with _OPENER.open(request, timeout=ANSWER_SECONDS) as response:
                    answer: dict[str, Any] = json.loads(response.read() or b"{}")
                    return answer
            except urllib.error.HTTPError as error:
                if error.code == NOT_FOUND:
                    return None
                passing = error.code == TOO_MANY_REQUESTS or error.code >= SERVER_ERROR
                wait, reason = _retry_after(error), f"{error.code} {self._without_secrets(_message(error))}"
            except (OSError, http.client.HTTPException, ValueError) as error:  # no answer, or half of one
                passing, wait, reason = True, 0, self._without_secrets(str(error) or type(error).__name__)
            if pause is None or not passing or wait > LONGEST_PAUSE:
                raise TailnetApiError(f"{method} {url}: {reason}")
            self._sleep(max(pause, wait))
        raise AssertionError  # the last pause is None

    def _without_secrets(self, text: str) -> str:
        for secret in filter(None, (self._client_secret, self._token)):
            text = text.replace(secret, "<secret>")
        return text


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are errors: urllib would send the credential to wherever they lead."""

    @override
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _retry_after(error: urllib.error.HTTPError) -> int:
    """Seconds; 0 where the server does not say, or gives a date."""
    value = error.headers.get("Retry-After", "")
    return int(value) if value.isdecimal() else 0


def _message(error: urllib.error.HTTPError) -> str:
    """What the API says (`{"message": ...}`), else the status in words."""
    try:
        return str(json.loads(error.read())["message"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return str(error.reason)
