from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ...pod.additions import Additions, Surroundings
from ...pod.model import Model
from ...pod.objects import Json


class Networking(Model):
    """Base of the networking modes."""

    kernel: ClassVar[bool]
    """Whether the pod gets a network device of the tailnet, and a sidecar that prepares its routing."""

    @property
    @abstractmethod
    def security_context(self) -> Json:
        """Security context of the sidecar; it stands on its own, whatever the pod's says."""

    @abstractmethod
    def additions(self, pod: Surroundings) -> Additions:
        """What this mode adds to the pod."""

    @property
    def device_limits(self) -> Json:
        """Resource limits that give the sidecar a device."""
        return {}

    @property
    def is_privileged(self) -> bool:
        """Whether the sidecar may write /proc/sys, and mount files in its container."""
        return False

    def ports(self) -> dict[int, str]:
        """Ports that this mode listens on in the pod, each with the argument that it comes from."""
        return {}
