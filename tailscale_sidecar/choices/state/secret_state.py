from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from ...pod.additions import Additions, Surroundings
from ...pod.model import Input
from ...pod.objects import Json, env_value
from . import own_secret_policy
from ._state import State


class SecretState(State):
    """State in a Secret for each replica, named like its pod (`TS_KUBE_SECRET=$(POD_NAME)`).

    A DaemonSet has one for each node instead, `<workload>-<node>`, with `guarded` alone.
    """

    outlives_pod: ClassVar[bool] = True
    in_secrets: ClassVar[bool] = True

    access: Literal["scoped", "guarded", "open"] = "scoped"
    """What the ServiceAccount may do.

    `scoped`: the Secrets exist beforehand, and only these can be read and written; nothing can be created.
    `guarded`: sidecars create them; a ValidatingAdmissionPolicy lets a pod write its own only (Kubernetes 1.30).
    `open`: the guide's Role: all Secrets of the namespace can be read and written.
    """
    max_replicas: int | None = Field(default=None, ge=1)
    """How many replicas may have a Secret: room for `kubectl scale` and autoscalers. Default: `replicas`."""

    retain_state: bool = False
    """Whether the Secrets, and so the identities, stay when the stack is destroyed or scaled down, for the next `up` to
    pick up. With `guarded` and `open` they always do. Set it in an `up` of its own, before what would delete them."""

    @override
    def room(self, replicas: int) -> int:
        if self.max_replicas is not None and self.max_replicas < replicas:
            raise ValueError(f"state.max_replicas {self.max_replicas} is less than replicas {replicas}; raise it")
        return self.max_replicas or replicas

    @override
    def secrets_made_beforehand(self, pod: Surroundings) -> list[str]:
        return self._names(pod) if self.made_beforehand else []

    @property
    @override
    def made_beforehand(self) -> bool:
        return self.access == "scoped"

    @property
    @override
    def retained(self) -> bool:
        return self.retain_state

    @override
    def policy(self, user: Input[str], pod: Surroundings) -> Json | None:
        return own_secret_policy.spec(user, pod) if self.access == "guarded" else None

    @override
    def remembered(self, replicas: int) -> Json:
        secrets = {"access": self.access, "secrets": self.room(replicas), "retained": self.retain_state}
        return {**super().remembered(replicas), **secrets}

    @override
    def additions(self, pod: Surroundings) -> Additions:
        return Additions(
            env=(env_value("TS_KUBE_SECRET", f"{pod.name}-$(NODE_NAME)" if pod.owner == "node" else "$(POD_NAME)"),),
            rules=tuple(self._rules(pod)),
        )

    def _names(self, pod: Surroundings) -> list[str]:
        """Names of the state Secrets that the Role allows, one a replica."""
        return [f"{pod.name}-{ordinal}" for ordinal in pod.ordinals(self.room(pod.replicas))]

    def _rules(self, pod: Surroundings) -> list[Json]:
        secrets, names = {"apiGroups": [""], "resources": ["secrets"]}, self._names(pod)
        # Where names are not known beforehand, there is no rule for them: RBAC has no patterns.
        if self.access == "open" or pod.owner != "replica":
            return [{**secrets, "verbs": ["get", "create", "update", "patch"]}]
        # Without names, RBAC would read the rule as one for all Secrets.
        own: list[Json] = [{**secrets, "verbs": ["get", "update", "patch"], "resourceNames": names}] if names else []
        # RBAC cannot restrict create by name; with `guarded` the admission policy does.
        return own if self.access == "scoped" else [*own, {**secrets, "verbs": ["create"]}]
