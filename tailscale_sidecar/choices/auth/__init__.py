"""How a replica logs in to the tailnet for the first time."""

from ._auth import Auth
from .auth_key import AuthKey
from .oauth_client import OAuthClient
from .workload_identity import WorkloadIdentity

__all__ = ["Auth", "AuthKey", "OAuthClient", "WorkloadIdentity"]
