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

    @abstractmethod
    def security_context(self, *, routes: bool) -> Json:
        """Security context of the sidecar; it stands on its own, whatever the pod's says.

        `routes` says whether it forwards packets of others, and so has to set sysctls.
        """

    @abstractmethod
    def additions(self, pod: Surroundings) -> Additions:
        """What this mode adds to the pod."""

    @property
    def device_limits(self) -> Json:
        """Resource limits that give the sidecar a device."""
        return {}

    @property
    def pod_fields(self) -> Json:
        """Fields of the pod's spec that this mode sets."""
        return {}

    @property
    def is_privileged(self) -> bool:
        """Whether the sidecar may write /proc/sys, and mount files in its container."""
        return False

    @property
    def can_route(self) -> bool:
        """Whether the sidecar may set the sysctls that forwarding needs."""
        return self.is_privileged

    def check_pod(self, spec: Json, path: str) -> None:
        """Raises ValueError for what this mode excludes in the pod's spec, which errors name by `path`."""

    def ports(self) -> dict[int, str]:
        """Ports that this mode listens on in the pod, each with the argument that it comes from."""
        return {}
