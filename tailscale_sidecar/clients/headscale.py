"""The one client of Headscale's own API (headscale.net/stable/ref/api), for what becomes of a replica's node."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from .tailscale import TailscaleApi


class HeadscaleApi(TailscaleApi):
    """The API as one API key sees it, with nodes shown as Tailscale's API shows devices. Threads may share one."""

    not_this_api: ClassVar[str] = "this is no Headscale, or one without /api/v1"

    def __init__(self, url: str, *, api_key: str | None) -> None:
        """Asks for nothing yet.

        Args:
            url: Base URL of Headscale, of http or https: whoever gives it has checked that.
            api_key: What `headscale apikeys create` prints.
        """
        super().__init__(url, access_token=api_key)

    @override
    def device(self, device_id: str) -> dict[str, Any] | None:
        if not device_id.isdecimal():  # one of another control plane's, which Headscale would call malformed
            return None
        answer = self._request("GET", node_path(device_id), self._authorization())
        return None if answer is None else as_device(answer["node"])

    @override
    def devices(self) -> list[dict[str, Any]]:
        return [as_device(node) for node in self.get("/api/v1/node")["nodes"]]

    @override
    def delete(self, device_id: str) -> None:
        self._request("DELETE", node_path(device_id), self._authorization())


def node_path(node_id: str) -> str:
    """Where the API has a node."""
    return f"/api/v1/node/{node_id}"


def as_device(node: dict[str, Any]) -> dict[str, Any]:
    """A node, as Tailscale's API shows a device. The ID is what containerboot records, too."""
    return {"nodeId": node["id"], "nodeKey": node["nodeKey"], "machineKey": node["machineKey"]}
