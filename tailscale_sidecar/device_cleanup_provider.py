"""Where the states of stacks look for the clean-up's provider. It may never move."""

from .devices.cleanup_provider import DeviceCleanupProvider

__all__ = ["DeviceCleanupProvider"]
