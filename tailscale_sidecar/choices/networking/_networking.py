from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ...pod.additions import Additions, Surroundings
from ...pod.model import Model
from ...pod.objects import Json


class Networking(Model):
    """Base of the networking modes."""

    kernel: ClassVar[bool]
    """Whether the pod gets a network device of the tailnet, and the init container that prepares its routing."""

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
    def writes_sysctls(self) -> bool:
        """Whether the init container may write /proc/sys."""
        return False

    def ports(self) -> dict[int, str]:
        """Ports that this mode listens on in the pod, each with the argument that it comes from."""
        return {}
