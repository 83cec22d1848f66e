from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ...pod.additions import Additions
from ...pod.model import Model
from ...pod.objects import Json, env_value

VOLUME_DIR = "/var/lib/tailscale"
STATE_DIR = f"{VOLUME_DIR}/state"
"""A folder that tailscaled makes itself: it sets the mode of its state folder, and a volume's own is another user's."""


class State(Model):
    """Base of the state stores. There is none in memory: each restart would register a new device."""

    outlives_pod: ClassVar[bool]
    """Whether a deleted pod comes back as the same device."""

    @abstractmethod
    def additions(self, name: str, replicas: int) -> Additions:
        """What this store adds to the pod of StatefulSet `name`."""

    def remembered(self, replicas: int) -> Json:
        """What protection.py compares at the next `up`."""
        del replicas
        return {"store": type(self).__name__, "outlivesPod": self.outlives_pod}


def state_dir(*, volumes: tuple[Json, ...] = (), claims: tuple[Json, ...] = ()) -> Additions:
    """State in files on the volume tailscale-state; an empty TS_KUBE_SECRET turns the Secret store off."""
    return Additions(
        env=(env_value("TS_KUBE_SECRET", ""), env_value("TS_STATE_DIR", STATE_DIR)),
        mounts=({"name": "tailscale-state", "mountPath": VOLUME_DIR},),
        volumes=volumes,
        volume_claim_templates=claims,
    )
