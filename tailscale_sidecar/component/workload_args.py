"""The arguments of `TailscaleSidecar`: the sidecar's, and which workload it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..choices.state import EmptyDirState, PersistentVolumeState
from ..pod import rules
from ..pod.contract import MONITORING_PORT_NAME
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
        self._check_monitoring()
        self._check_state_of_kind()
        self._check_names_of_kind()
        if self.service_account_name is None and self.state.in_secrets:
            raise ValueError(
                f"service_account_name is required with state={type(self.state).__name__}(): the name of the "
                "ServiceAccount that the workload has, 'default' where its manifest names none"
            )
        return self

    def _check_monitoring(self) -> None:
        if self.monitoring is not None and self.monitoring.operator:
            raise ValueError(
                "monitoring=Monitoring(operator=True) is for TailscaleSidecarStatefulSet, whose pods' labels are known. Leave "
                f"operator out, and write a PodMonitor of the workload's pods for the port {MONITORING_PORT_NAME}"
            )

    def _check_state_of_kind(self) -> None:
        if self.kind == "StatefulSet" or isinstance(self.state, EmptyDirState):
            return
        state = f"{type(self.state).__name__}()"
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

    def _check_names_of_kind(self) -> None:
        if self.kind != "StatefulSet":
            for field in ("hostname", "ordinals_start", "registration_rate"):
                if getattr(self, field):
                    raise ValueError(f"{field} is for kind='StatefulSet', whose replicas have numbers; remove it")
        if self.exact_hostname is not None and not self.state.outlives_pod:
            raise ValueError(
                "exact_hostname needs a state that outlives the pod: a new pod's device would come while the old one still "
                "has the name. Remove it, or give another state"
            )

    @property
    def is_lasting_deployment(self) -> bool:
        """Whether it is a Deployment whose one identity outlives its pod."""
        return self.kind == "Deployment" and self.state.outlives_pod
