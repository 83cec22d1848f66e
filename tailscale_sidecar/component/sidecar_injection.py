"""The component that puts the sidecar into pods as they are created, whoever makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import pulumi
from pulumi_kubernetes.admissionregistration import v1 as admission
from pydantic import Field, InstanceOf, field_validator, model_validator
from typing_extensions import override

from ..choices.state import EmptyDirState, SecretState, State
from ..pod import rules
from ..pod.additions import Owner
from ..pod.contract import SIDECAR
from ..pod.model import Input
from ..pod.objects import Json
from . import pod_template, protection
from .args import SidecarArgs
from .mutations import mutations
from .resources import SidecarResources

LABEL = "tailscale-sidecar/inject"
"""On pods that get the sidecar of the injection that is its value."""
OF_REPLICAS = ("device_cleanup", "exact_hostname", "hostname", "ordinals_start", "registration_rate")
"""Arguments for pods that are known by number."""


class TailscaleSidecarInjectionArgs(SidecarArgs):
    """What a `TailscaleSidecarInjection` is made from: the sidecar's arguments, and which pods get it."""

    namespace: Input[str]
    """Namespace of the pods, and of what is made for them."""
    pod_labels: Mapping[str, str] = Field(default={})
    """Labels that the pods have. Default: `tailscale-sidecar/inject` with the component's name."""
    state: InstanceOf[State] = Field(default_factory=EmptyDirState)
    """`EmptyDirState()`: each pod is an ephemeral device. `SecretState(access="guarded")`: a device for each name that a pod
    has, which lasts; for pods whose names come again, such as those that an operator makes."""
    service_account_name: str | None = None
    """Name of the ServiceAccount that the pods have. Required with `SecretState`: it gets the right to Secrets."""

    @field_validator("pod_labels")
    @classmethod
    def _check_pod_labels(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        for key, value in labels.items():
            rules.map_key(key, "pod_labels")
            rules.label(key, value, field="pod_labels")
        return labels

    @model_validator(mode="after")
    def _check_injection(self) -> Self:
        if self.replicas != 1:
            raise ValueError("replicas cannot be given: as many pods get the sidecar as have the label. Remove it")
        for field in OF_REPLICAS:
            if getattr(self, field):
                raise ValueError(f"{field} is for replicas, which are known by number; remove it")
        self._check_state(self.state)
        return self

    def _check_state(self, state: State) -> None:
        if isinstance(state, EmptyDirState):
            return
        if not isinstance(state, SecretState) or state.access != "guarded" or state.max_replicas is not None:
            raise ValueError(
                "state: the pods' names are not known beforehand, so that their sidecars make the state. Give "
                "SecretState(access='guarded') without max_replicas, or EmptyDirState()"
            )
        if self.service_account_name is None:
            raise ValueError("service_account_name is required with state=SecretState(): that of the pods")

    @property
    @override
    def owner(self) -> Owner:
        return "pod"


class TailscaleSidecarInjection(SidecarResources):
    """The sidecar for pods that Pulumi does not know of: an operator's, or those of a cluster's other users.

    A MutatingAdmissionPolicy (Kubernetes 1.36 and newer) puts it into the pods of a namespace that have a label, when they are
    created. Nothing runs for that, and there is no webhook. Pods that are there already stay as they are.
    """

    def __init__(
        self, name: str, args: TailscaleSidecarInjectionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Registers the component and its resources.

        Args:
            name: Name in Pulumi and in Kubernetes.
            args: What it is made from.
            opts: Pulumi's options; a provider given here is that of all its resources.

        Raises:
            TypeError: `args` are of another kind, such as a dict.
            ValueError: The name is no name of a Kubernetes object.
        """
        if not isinstance(args, TailscaleSidecarInjectionArgs):
            raise TypeError(f"args must be TailscaleSidecarInjectionArgs(...), not {type(args).__name__}")
        rules.object_name(name, "the name")
        remembered = protection.remembered(args, workload=name)
        hooks = pulumi.ResourceOptions(hooks=protection.hooks(self._spelled))
        super().__init__(
            "tailscale-sidecar:index:TailscaleSidecarInjection",
            name,
            remembered,
            pulumi.ResourceOptions.merge(opts, hooks),
        )
        self._args: TailscaleSidecarInjectionArgs = args
        self._own_name = name
        self._surroundings = pod_template.surroundings(name, args, f"{name}-auth")
        self._register_resources()
        # Policies belong to the whole cluster: the namespace keeps those of two components with one name apart.
        metadata: Any = {"name": pulumi.Output.concat(args.namespace, ".", name, ".inject")}
        before = [self.role_binding, self.policy_binding, self.auth_secret]
        self.injection: admission.MutatingAdmissionPolicy = admission.MutatingAdmissionPolicy(
            f"{name}-inject", metadata=metadata, spec=self._injection(), opts=self._child(*before)
        )
        bound: Any = {"policyName": metadata["name"]}
        self.injection_binding: admission.MutatingAdmissionPolicyBinding = admission.MutatingAdmissionPolicyBinding(
            f"{name}-inject-binding", metadata=metadata, spec=bound, opts=self._child(self.injection)
        )
        self.register_outputs({})

    def _injection(self) -> Any:
        """The policy's `spec`."""
        args, added = self._args, pod_template.additions(self._surroundings, self._args)
        app = {"name": "app", "ports": [{"name": "metrics"}]}  # what it really has is not known
        pod = pod_template.with_sidecar({"containers": [app]}, args, added)
        patches = pulumi.Output.from_input(pod).apply(lambda known: _json_patches(known, dict(added.annotations)))
        pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        return {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "resourceRules": [pods],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": args.namespace}},
                "objectSelector": {"matchLabels": dict(args.pod_labels) or {LABEL: self._own_name}},
            },
            "matchConditions": [
                {"name": "no-host-network", "expression": "!object.spec.?hostNetwork.orValue(false)"},
                {
                    "name": "no-sidecar-yet",
                    "expression": f"object.spec.?initContainers.orValue([]).all(c, c.name != '{SIDECAR}')",
                },
            ],
            "mutations": patches,
        }


def _json_patches(pod: Json, annotations: Mapping[str, str]) -> list[Json]:
    return [{"patchType": "JSONPatch", "jsonPatch": {"expression": one}} for one in mutations(pod, annotations)]
