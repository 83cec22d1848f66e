"""Credentials that are no good."""

from __future__ import annotations

from tailscale_sidecar import OAuthClient
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Deployment


def wrong_oauth_client(tailnet: Tailnet) -> OAuthClient:
    """One whose secret nobody knows."""
    client_id, secret = tailnet.oauth_client()
    return OAuthClient(client_id=client_id, client_secret=secret.replace("?", "x?"))


def revoked_oauth_client(tailnet: Tailnet) -> OAuthClient:
    """One that was good once."""
    client_id, secret = tailnet.oauth_client()
    tailnet.call("DELETE", f"/lab/oauth-clients/{client_id}")
    return OAuthClient(client_id=client_id, client_secret=secret)


def revoke(app: Deployment) -> None:
    """Revokes the OAuth client that a deployment has."""
    app.workspace.tailnet.call("DELETE", f"/lab/oauth-clients/{app.arguments['auth'].client_id}")
