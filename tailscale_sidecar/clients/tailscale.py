"""The one client of Tailscale's API (tailscale.com/api): each call gets an answer, or a reason without a credential."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from typing_extensions import override

from .errors import TailscaleApiError

TAILSCALE_API = "https://api.tailscale.com"
PAUSES = (1, 2, 4, 8, 16)
"""Seconds before each further attempt of a call that failed for now."""
LONGEST_PAUSE = 60
"""A longer `Retry-After` than this many seconds is not waited for."""
TOKEN_MARGIN = 60
"""Seconds before its end at which an access token is no longer used."""
NOT_FOUND, TOO_MANY_REQUESTS, SERVER_ERROR = 404, 429, 500
ANY_CLIENT_ID = "some-client-id"
"""The secret names its client; Tailscale's own client sends this (tailscale.com@v1.102.5 feature/oauthkey/oauthkey.go:50)."""


class TailscaleApi:
    """The API as one credential sees it. Threads may share one: they then share its access token."""

    answer_seconds: ClassVar[float] = 30
    """How long the API may take for one answer."""
    pauses: ClassVar[Sequence[float]] = PAUSES
    not_this_api: ClassVar[str] = "this is no API like Tailscale's, or no such tailnet"
    """What it means that something which is always there is not."""

    def __init__(
        self,
        url: str,
        *,
        client_id: str = ANY_CLIENT_ID,
        client_secret: str | None = None,
        access_token: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Asks for nothing yet; an OAuth client's token is fetched when there is need of one.

        Args:
            url: Base URL, of http or https: whoever gives it has checked that.
            client_id: An OAuth client's.
            client_secret: The same client's.
            access_token: An API access token instead.
            sleep: What waits.
        """
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._token = access_token
        self._token_end = float("inf") if access_token else 0.0
        self._lock = threading.Lock()
        self._sleep = sleep

    def get(self, path: str) -> dict[str, Any]:
        """Something that is always there, such as `/api/v2/tailnet/-/dns/preferences`.

        Raises:
            TailscaleApiError: The API does not answer, refuses, or knows no such thing.
        """
        return self._there("GET", path, self._authorization())

    def device(self, device_id: str) -> dict[str, Any] | None:
        """A device by its ID, or None if it is not on the tailnet."""
        return self._request("GET", device_path(device_id), self._authorization())

    def devices(self) -> list[dict[str, Any]]:
        """All devices of the tailnet."""
        return list(self.get("/api/v2/tailnet/-/devices")["devices"])

    def delete(self, device_id: str) -> None:
        """Removes a device; one that is not there any more is well."""
        self._request("DELETE", device_path(device_id), self._authorization())

    def _authorization(self) -> str:
        with self._lock:
            if self._token is None or time.monotonic() > self._token_end:
                self._token, seconds = self._new_token()
                self._token_end = time.monotonic() + seconds - TOKEN_MARGIN
            return f"Bearer {self._token}"

    def _new_token(self) -> tuple[str, float]:
        basic = base64.b64encode(f"{self._client_id}:{self._client_secret}".encode()).decode()
        form = urlencode({"grant_type": "client_credentials"}).encode()
        answer = self._there("POST", "/api/v2/oauth/token", f"Basic {basic}", form)
        return str(answer["access_token"]), float(answer.get("expires_in", 0))

    def _there(self, method: str, path: str, authorization: str, form: bytes | None = None) -> dict[str, Any]:
        answer = self._request(method, path, authorization, form)
        if answer is None:
            raise TailscaleApiError(f"{method} {self._url}{path}: 404: {self.not_this_api}")
        return answer

    def _request(self, method: str, path: str, authorization: str, form: bytes | None = None) -> dict[str, Any] | None:
        """One call, tried again while it fails for now; None for 404."""
        url = self._url + path
        headers = {"Authorization": authorization, "Accept": "application/json"}  # else a policy comes with comments
        request = urllib.request.Request(url, data=form, headers=headers, method=method)  # noqa: S310 - see __init__
        for pause in (*self.pauses, None):
            try:
                with _OPENER.open(request, timeout=self.answer_seconds) as response:
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
                raise TailscaleApiError(f"{method} {url}: {reason}")
            self._sleep(max(pause, wait))
        raise AssertionError  # the last pause is None

    def _without_secrets(self, text: str) -> str:
        for secret in filter(None, (self._client_secret, self._token)):
            text = text.replace(secret, "<secret>")
        return text


def device_path(device_id: str) -> str:
    """Where the API has a device."""
    return f"/api/v2/device/{quote(device_id, safe='')}"


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
