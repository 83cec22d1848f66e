from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from ...pod.additions import Additions
from ._state import State, state_dir


class EmptyDirState(State):
    """State in the pod: it survives crashes of its containers, but a new pod is a new device."""

    outlives_pod: ClassVar[bool] = False

    @override
    def additions(self, name: str, replicas: int) -> Additions:
        del name, replicas
        return state_dir(volumes=({"name": "tailscale-state", "emptyDir": {}},))
