"""Where tailscaled keeps the keys that are a replica's identity."""

from ._state import State
from .empty_dir_state import EmptyDirState
from .persistent_volume_state import PersistentVolumeState
from .secret_state import SecretState

__all__ = ["EmptyDirState", "PersistentVolumeState", "SecretState", "State"]
