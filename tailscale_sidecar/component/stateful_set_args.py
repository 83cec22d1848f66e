"""The arguments of `TailscaleSidecarStatefulSet`: the sidecar's, and the StatefulSet's around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pulumi_kubernetes.apps.v1 import (
    StatefulSetPersistentVolumeClaimRetentionPolicyArgs,
    StatefulSetUpdateStrategyArgs,
)
from pulumi_kubernetes.core.v1 import PersistentVolumeClaimArgs
from pydantic import Field, InstanceOf, ValidationInfo, field_validator, model_validator

from ..choices.dns import ClusterDns
from ..choices.egress import EgressPolicy
from ..pod import pod_spec as _pod_spec
from ..pod import rules
from ..pod.camel_case import each_to_camel_case, to_camel_case
from ..pod.contract import BURST_REPLICAS, COREFILE_ANNOTATION, OWN_VOLUMES, SERVICE_ACCOUNT_DIR
from ..pod.model import Input, Items
from ..pod.objects import Json
from .args import SidecarArgs
from .collisions import name_of_claim, refuse_collisions


class TailscaleSidecarStatefulSetArgs(SidecarArgs):
    """What a `TailscaleSidecarStatefulSet` is made from. Wrong arguments are refused here, before anything is made."""

    pod_spec: Any
    """The app's own PodSpec: `PodSpecArgs`, or a dict in camelCase or snake_case. Everything in it is kept. Without
    containers the pod is Tailscale's alone, such as a subnet router."""
    name: str | None = None
    """Name in Kubernetes of the StatefulSet, its Service, pods and state Secrets. Default: the component's in Pulumi.
    A component that gets another name in Pulumi keeps its devices if its old one is given here, and as an alias."""
    annotations: Mapping[str, Input[str]] = Field(default={})
    """Annotations of the StatefulSet and its pods; those of Pulumi's provider (`pulumi.com/...`) of the StatefulSet
    alone."""
    volume_claim_templates: Items[Any] = ()
    """The app's own volume claims, as in a StatefulSet."""
    persistent_volume_claim_retention_policy: Any = None
    """As in a StatefulSet."""
    update_strategy: Any = None
    """As in a StatefulSet."""
    min_ready_seconds: int = Field(default=0, ge=0)
    """As in a StatefulSet: seconds for which a new pod must be ready before the next one is replaced."""
    revision_history_limit: int | None = Field(default=None, ge=0)
    """As in a StatefulSet, when it is made: Pulumi would replace the StatefulSet for a later change, so none is made."""
    publish_not_ready_addresses: bool = False
    """Whether the headless Service has the pods' names before they are ready, for apps that look for each other first."""
    service_annotations: Mapping[str, Input[str]] = Field(default={})
    """Annotations of the headless Service."""
    pod_management_policy: Literal["OrderedReady", "Parallel"] = "OrderedReady"
    """As in a StatefulSet. Kubernetes cannot change it later: a change replaces the StatefulSet."""
    allow_registration_burst: bool = False
    """Allows `Parallel` above 10 replicas, which register all at once and may meet Tailscale's rate limits."""
    service_account_annotations: Mapping[str, Input[str]] = Field(default={})
    """Annotations of the component's ServiceAccount, such as a cloud's role."""
    mount_token_in_app: bool = False
    """Whether the app's containers get the ServiceAccount's token, and so access to the state Secrets, too."""
    egress_policy: InstanceOf[EgressPolicy] | None = None
    """A NetworkPolicy of the pods: `EgressPolicy(...)`. Default: none is made."""

    @model_validator(mode="before")
    @classmethod
    def _choose_dns(cls, data: Any) -> Any:
        """Without containers of the app's there is nobody to give a resolver to."""
        if isinstance(data, Mapping) and "dns" not in data and _pod_spec.is_empty(data.get("pod_spec")):
            return {**data, "dns": ClusterDns()}
        return data

    @field_validator("pod_spec")
    @classmethod
    def _normalise_pod_spec(cls, value: Any) -> Json:
        return _pod_spec.normalised(value)

    @field_validator("volume_claim_templates")
    @classmethod
    def _normalise_claims(cls, value: tuple[Any, ...]) -> tuple[Json, ...]:
        claims = each_to_camel_case(value, PersistentVolumeClaimArgs, "volume_claim_templates")
        for index, claim in enumerate(claims):
            name, path = name_of_claim(claim), f"volume_claim_templates[{index}].metadata.name"
            if name is None:
                raise ValueError(f"{path} is missing; volume mounts are of it")
            if isinstance(name, str) and name in OWN_VOLUMES:
                raise ValueError(f"{path} is the sidecar's own; rename the claim")
        return claims

    @field_validator("persistent_volume_claim_retention_policy")
    @classmethod
    def _normalise_retention(cls, value: Any) -> Json | None:
        kind = StatefulSetPersistentVolumeClaimRetentionPolicyArgs
        return None if value is None else to_camel_case(value, kind, "persistent_volume_claim_retention_policy")

    @field_validator("update_strategy")
    @classmethod
    def _normalise_update_strategy(cls, value: Any) -> Json | None:
        return None if value is None else to_camel_case(value, StatefulSetUpdateStrategyArgs, "update_strategy")

    @field_validator("annotations", "service_account_annotations", "service_annotations")
    @classmethod
    def _check_annotations(
        cls, annotations: Mapping[str, Input[str]], info: ValidationInfo
    ) -> Mapping[str, Input[str]]:
        for key in annotations:
            rules.map_key(key, str(info.field_name))
            if key == COREFILE_ANNOTATION:
                raise ValueError(f"{key} is the sidecar's own; use another key")
        return annotations

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str | None) -> str | None:
        return None if name is None else rules.name(name)

    @model_validator(mode="after")
    def _check_stateful_set(self) -> Self:
        if self.dns.needs_tun and not self.pod_spec["containers"]:
            raise ValueError(
                f"dns={type(self.dns).__name__}() is for the app's containers, and pod_spec has none; leave it out"
            )
        taken = {SERVICE_ACCOUNT_DIR: "mount_token_in_app=True"} if self.mount_token_in_app else {}
        refuse_collisions(self.pod_spec, self, claims=self.volume_claim_templates, taken=taken)
        self._check_rollout()
        self._check_service_account()
        self._check_egress()
        return self

    def _check_rollout(self) -> None:
        if (
            self.pod_management_policy == "Parallel"
            and self.replicas > BURST_REPLICAS
            and not self.allow_registration_burst
            and self.registration_rate is None
        ):
            raise ValueError(
                f"pod_management_policy='Parallel' with {self.replicas} replicas registers all of them at once. "
                f"Leave it at OrderedReady (it cannot be changed later), stay at {BURST_REPLICAS} or fewer, set "
                "registration_rate, such as 2 a second, or set allow_registration_burst=True"
            )
        if self.registration_rate is not None and self.pod_management_policy != "Parallel":
            raise ValueError(
                "registration_rate needs pod_management_policy='Parallel': OrderedReady starts a replica when the one "
                "before is ready, and each would wait for its turn on top of that"
            )

    def _check_service_account(self) -> None:
        if self.service_account_name is not None and self.service_account_annotations:
            mine = self.service_account_name if isinstance(self.service_account_name, str) else "yours"
            raise ValueError(
                f"service_account_annotations are for the account that the component makes; annotate {mine} itself"
            )

    def _check_egress(self) -> None:
        if self.egress_policy is not None and self.advertise_exit_node:
            raise ValueError(
                "egress_policy with advertise_exit_node=True would keep what comes to the exit node from going anywhere else; "
                "remove one"
            )
