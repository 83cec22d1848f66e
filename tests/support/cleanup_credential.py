"""A credential that may remove devices."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.tailnet_client import Tailnet
from tests.support.program import Source


@dataclass(frozen=True)
class Credential:
    """An OAuth client that may remove devices, and nothing else."""

    tailnet: Tailnet
    client_id: str
    secret: str

    @staticmethod
    def create(tailnet: Tailnet) -> Credential:
        client_id, secret = tailnet.oauth_client(scopes=["devices:core"])
        return Credential(tailnet, client_id, secret.partition("?")[0])

    def argument(self, **others: object) -> Source:
        """The argument `device_cleanup` with this credential."""
        given = {"client_secret": self.secret, "api_url": self.tailnet.url, **others}
        return Source(f"DeviceCleanup({', '.join(f'{key}={value!r}' for key, value in given.items())})")

    def calls(self) -> list[tuple[str, str]]:
        """What was asked with it: method, and last part of the path."""
        found = [r for r in self.tailnet.requests("/api/v2/") if r.get("client") == self.client_id]
        return [(r["method"], r["path"].rpartition("/")[2]) for r in found]

    def revoke(self) -> None:
        self.tailnet.call("DELETE", f"/lab/oauth-clients/{self.client_id}")
