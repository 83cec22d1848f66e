from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ...pod import rules
from ...pod.additions import Additions, Surroundings
from ...pod.contract import STATE_DIR, STATE_VOLUME, VOLUME_DIR
from ...pod.model import Input, Model
from ...pod.objects import Json, env_value


class State(Model):
    """Base of the state stores. There is none in memory: each restart would register a new device."""

    outlives_pod: ClassVar[bool]
    """Whether a deleted pod comes back as the same device."""
    in_secrets: ClassVar[bool] = False
    """Whether each identity is in a Secret that is named like its pod, or after its node, so that not only the pod can read
    it."""

    oldest_release: ClassVar[tuple[int, int]] = rules.OLDEST_RELEASE
    """The first release of Tailscale on which it works."""

    @abstractmethod
    def additions(self, pod: Surroundings) -> Additions:
        """What this store adds to the pod."""

    def room(self, replicas: int) -> int:
        """How many replicas may have an identity: `replicas`, or more where there is room to scale."""
        return replicas

    def secrets_made_beforehand(self, pod: Surroundings) -> list[str]:
        """Names of the Secrets that have to be there before the pods."""
        del pod
        return []

    @property
    def made_beforehand(self) -> bool:
        """Whether there is no state but what was made before the pods."""
        return False

    @property
    def retained(self) -> bool:
        """Whether what was made beforehand stays when Pulumi would delete it."""
        return False

    def policy(self, user: Input[str], pod: Surroundings) -> Json | None:
        """The `spec` of the admission policy that keeps the ServiceAccount `user` to its own state; None without one."""
        del user, pod
        return None

    def remembered(self, replicas: int) -> Json:
        """What the next `up` compares with what will be, to say what a change would cost."""
        del replicas
        return {"store": type(self).__name__, "outlivesPod": self.outlives_pod}


WITHOUT_SECRETS = (1, 96)
"""Before, containerboot asked for a ServiceAccount's token in every cluster, and ended where there is none
(tailscale.com@v1.94.2 cmd/containerboot/main.go; since 1.96 with TS_KUBE_SECRET alone)."""


def state_dir(*, volumes: tuple[Json, ...] = (), claims: tuple[Json, ...] = ()) -> Additions:
    """State in files on the volume tailscale-state; an empty TS_KUBE_SECRET turns the Secret store off."""
    return Additions(
        env=(env_value("TS_KUBE_SECRET", ""), env_value("TS_STATE_DIR", STATE_DIR)),
        mounts=({"name": STATE_VOLUME, "mountPath": VOLUME_DIR},),
        volumes=volumes,
        volume_claim_templates=claims,
    )
