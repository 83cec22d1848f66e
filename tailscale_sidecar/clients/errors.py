"""What the clients raise."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster cannot be reached, or refuses; the message says where and why."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status; 0 if there was no answer."""


class TailscaleApiError(Exception):
    """A call failed for good; the message names the call and the reason, and no credential."""


class ExtraMissingError(ImportError):
    """The message says which extra to install, and what for."""
