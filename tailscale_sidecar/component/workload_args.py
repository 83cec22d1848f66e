"""The arguments of `TailscaleSidecar`: the sidecar's, and which workload it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from ..choices.state import EmptyDirState, PersistentVolumeState, SecretState
from ..pod import rules
from ..pod.additions import Owner
from .args import SidecarArgs

Kind = Literal["StatefulSet", "Deployment", "DaemonSet", "Job", "CronJob"]
INSTEAD = {
    "Pod": "nothing makes a bare Pod anew; make it a Deployment with one replica, or a Job",
    "ReplicaSet": "a Deployment makes it; give the Deployment",
    "Rollout": "Argo Rollouts makes its pods; let its spec.workloadRef name a Deployment, and give that",
    "Cluster": "its operator makes the pods; give them a sidecar where the operator takes one, or run a proxy beside them",
}
"""Kinds that have pods and cannot be given, with what can be done."""
OUTLIVED = (
    "state={} cannot be given with kind='{}': {}. Use EmptyDirState(), with which each pod is a device of its own"
)


class TailscaleSidecarArgs(SidecarArgs):
    """What a `TailscaleSidecar` is made from: the sidecar's arguments, and what has to be known of the workload."""

    kind: Kind
    """Of the workload that gets the sidecar."""
    workload: str
    """Its name in Kubernetes, `metadata.name` of its manifest."""
    replicas: int = Field(default=1, ge=0)
    """How many replicas a StatefulSet has: with `SecretState(access="scoped")`, for each there is a state Secret. Of a
    Deployment it says whether there is one alone, which `PersistentVolumeState` needs; else it does not matter."""
    service_account_name: str | None = None
    """Name of the ServiceAccount that the workload has, `default` where its manifest names none. Required with
    `SecretState`: it gets the right to the state Secrets."""

    @field_validator("kind", mode="before")
    @classmethod
    def _check_kind(cls, kind: Any) -> Any:
        if isinstance(kind, str) and kind in INSTEAD:
            raise ValueError(f"{kind} cannot have a sidecar from here: {INSTEAD[kind]}")
        return kind

    @field_validator("workload")
    @classmethod
    def _check_workload(cls, name: str) -> str:
        rules.object_name(name, "workload")
        return name

    @model_validator(mode="before")
    @classmethod
    def _choose_state(cls, data: Any) -> Any:
        """Only a StatefulSet's pods have names that come again, and so identities that can."""
        if isinstance(data, Mapping) and "state" not in data and data.get("kind") != "StatefulSet":
            return {**data, "state": EmptyDirState()}
        return data

    @model_validator(mode="after")
    def _check_workload_together(self) -> Self:
        self._check_state_of_kind()
        self._check_names_of_kind()
        if self.service_account_name is None and self.state.in_secrets:
            raise ValueError(
                f"service_account_name is required with state={type(self.state).__name__}(): the name of the "
                "ServiceAccount that the workload has, 'default' where its manifest names none"
            )
        return self

    def _check_state_of_kind(self) -> None:
        if self.kind == "StatefulSet" or isinstance(self.state, EmptyDirState):
            return
        state = f"{type(self.state).__name__}()"
        if self.kind == "DaemonSet" and isinstance(self.state, SecretState):
            self._check_state_of_nodes(self.state)
            return
        if self.kind != "Deployment":
            raise ValueError(OUTLIVED.format(state, self.kind, "its pods have no names that come again"))
        if not isinstance(self.state, PersistentVolumeState):
            two = "a pod that ends and the one that replaces it would use one identity"
            raise ValueError(
                f"{OUTLIVED.format(state, self.kind, two)}; or, for one that lasts, PersistentVolumeState(), whose claim "
                "Kubernetes gives to one pod at a time"
            )
        if self.replicas > 1:
            raise ValueError(f"state={state} of a Deployment is one identity, for replicas=1; use a StatefulSet")

    def _check_state_of_nodes(self, state: SecretState) -> None:
        if state.access != "guarded" or state.max_replicas is not None:
            raise ValueError(
                "state of kind='DaemonSet' is a Secret for each node, and nodes come and go: the sidecars make them. Give "
                "SecretState(access='guarded') without max_replicas, or EmptyDirState()"
            )
        if self.device_cleanup is not None:
            raise ValueError(
                "device_cleanup cannot be given with kind='DaemonSet': Pulumi does not know of nodes that go. Remove it, and "
                "delete their devices on the tailnet"
            )

    def _check_names_of_kind(self) -> None:
        if self.kind != "StatefulSet":
            numbered = ("ordinals_start", "registration_rate", *(() if self.owner == "node" else ("hostname",)))
            for field in numbered:
                if getattr(self, field):
                    raise ValueError(f"{field} is for kind='StatefulSet', whose replicas have numbers; remove it")
        if self.exact_hostname is not None and self.owner == "node":
            raise ValueError(
                "exact_hostname would be the name of each node's device; use hostname, which is followed by the node's name"
            )
        if self.exact_hostname is not None and not self.state.outlives_pod:
            raise ValueError(
                "exact_hostname needs a state that outlives the pod: a new pod's device would come while the old one still "
                "has the name. Remove it, or give another state"
            )

    @property
    @override
    def owner(self) -> Owner:
        return "node" if self.kind == "DaemonSet" and self.state.outlives_pod else "replica"

    @property
    @override
    def device_name(self) -> str:
        return f"{self.hostname or self.workload}-$(NODE_NAME)" if self.owner == "node" else super().device_name

    @property
    def is_lasting_deployment(self) -> bool:
        """Whether it is a Deployment whose one identity outlives its pod."""
        return self.kind == "Deployment" and self.state.outlives_pod
