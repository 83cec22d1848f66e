from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from ...pod.additions import Additions, Surroundings
from ...pod.contract import STATE_VOLUME
from ._state import WITHOUT_SECRETS, State, state_dir


class EmptyDirState(State):
    """State in the pod: it survives crashes of its containers, but a new pod is a new device."""

    outlives_pod: ClassVar[bool] = False
    oldest_release: ClassVar[tuple[int, int]] = WITHOUT_SECRETS

    @override
    def additions(self, pod: Surroundings) -> Additions:
        del pod
        return state_dir(volumes=({"name": STATE_VOLUME, "emptyDir": {}},))
