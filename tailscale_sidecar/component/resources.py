"""What a sidecar needs beside its workload, registered alike whoever makes the workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import is_dry_run
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret, SecretPatch, Service
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from ..clients import extras
from ..devices import outputs
from ..devices.cleanup import CREDENTIALS
from ..devices.cleanup_provider import DeviceCleanupResource
from ..devices.device import Device
from ..pod.additions import Surroundings
from ..pod.model import Input
from . import kubernetes_provider, protection
from .args import SidecarArgs


class SidecarResources(pulumi.ComponentResource):
    """Base of the components: what they register beside the workload, and how all of it is named."""

    _args: SidecarArgs
    _surroundings: Surroundings
    _own_name: str
    """In Kubernetes, of the component's own objects."""

    # What is otherwise for a program in another language; not typed, see below.
    _spelled = staticmethod(protection.in_python)
    _cleanup_resource: Any = DeviceCleanupResource

    # Typed where they are assigned: annotations of the class are what Pulumi's SDK would resolve anew for each component.
    def _register_resources(self) -> None:
        """Registers all but what is made for the workload itself."""
        self.role: Role | None = self._role()
        """None where the state needs no Secret."""
        self.policy: admission.ValidatingAdmissionPolicy | None
        """With `SecretState(access="guarded")`."""
        self.policy_binding: admission.ValidatingAdmissionPolicyBinding | None
        self.policy, self.policy_binding = self._policy()
        self.role_binding: RoleBinding | None = self._role_binding()
        self.auth_secret: Secret | None = self._auth_secret()
        """None where the credential is in an existing Secret."""
        self.state_secrets: list[Secret | SecretPatch] = self._state_secrets()
        """With `SecretState(access="scoped")`, one a replica up to `max_replicas`, else empty. A SecretPatch makes a
        Secret too, and leaves it where it is when Pulumi deletes it (`retain_state=True`)."""
        self.device_cleanups: list[DeviceCleanupResource] = self._device_cleanups()
        """With the argument `device_cleanup`, one for each replica that may have a device, else empty."""

    @property
    def _account(self) -> Input[str]:
        """Name of the pods' ServiceAccount."""
        return self._args.service_account_name or self._own_name

    def _anchor(self) -> Role | Service:
        """An object of the component's own, by which its cluster is told from others, with what Kubernetes gave it."""
        raise NotImplementedError

    def _role(self) -> Role | None:
        if not self._args.state.in_secrets:
            return None
        rules: Any = list(self._args.state.additions(self._surroundings).rules)  # none while there is no replica
        return Role(f"{self._name}-role", metadata=self._metadata(self._own_name), rules=rules, opts=self._child())

    def _role_binding(self) -> RoleBinding | None:
        if self.role is None:
            return None
        subject: Any = {
            "kind": "ServiceAccount",
            "name": self._account,
            "namespace": _namespace_of(self.role),
        }
        role_ref: Any = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self._own_name}
        return RoleBinding(
            f"{self._name}-role-binding",
            metadata=self._metadata(self._own_name),
            subjects=[subject],
            role_ref=role_ref,
            opts=self._child(self.role, self.policy_binding),  # no rights without what guards them
        )

    def _policy(self) -> tuple[Any, Any]:
        if self.role is None:
            return None, None
        namespace = _namespace_of(self.role)
        spec: Any = self._args.state.policy(
            pulumi.Output.concat("system:serviceaccount:", namespace, ":", self._account), self._surroundings
        )
        if spec is None:
            return None, None
        # Policies belong to the whole cluster: the namespace keeps those of two components with one name apart.
        unique: Any = {"name": pulumi.Output.concat(namespace, ".", self._own_name, ".own-secret")}
        policy = admission.ValidatingAdmissionPolicy(
            f"{self._name}-own-secret", metadata=unique, spec=spec, opts=self._child()
        )
        bound: Any = {"policyName": unique["name"], "validationActions": ["Deny"]}
        binding = admission.ValidatingAdmissionPolicyBinding(
            f"{self._name}-own-secret-binding",
            metadata=unique,
            spec=bound,
            opts=self._child(policy),
        )
        return policy, binding

    def _auth_secret(self) -> Secret | None:
        data = self._args.auth.secret_data(elsewhere=self._args.is_elsewhere)
        if not data:
            return None
        return Secret(
            f"{self._name}-auth",
            metadata=self._metadata(f"{self._own_name}-auth"),
            string_data={key: pulumi.Output.secret(value) for key, value in data.items()},
            opts=self._child(),
        )

    def _state_secrets(self) -> list[Secret | SecretPatch]:
        state = self._args.state
        kind, other = (SecretPatch, Secret) if state.retained else (Secret, SecretPatch)
        # What a Secret of an earlier `up` has is another field manager's: without this, a changed label is a conflict.
        annotations = {"pulumi.com/patchForce": "true"} if state.retained else None
        own = pulumi.ResourceOptions(
            # The arguments have no `data`, so that what tailscaled writes there is never Pulumi's to change. But in
            # Pulumi's state an imported Secret has.
            ignore_changes=["data", "stringData"],
            aliases=[pulumi.Alias(type_=f"kubernetes:core/v1:{other.__name__}")],
        )
        return [
            kind(
                f"{self._name}-state-{ordinal}",
                metadata=self._metadata(secret, annotations),
                type="Opaque",
                opts=pulumi.ResourceOptions.merge(self._child(), own),
            )
            for ordinal, secret in enumerate(
                state.secrets_made_beforehand(self._surroundings), start=self._surroundings.first
            )
        ]

    def _device_cleanups(self) -> list[DeviceCleanupResource]:
        state, cleanup = self._args.state, self._args.device_cleanup
        if cleanup is None:
            return []
        extras.DEVICES.require("device_cleanup")
        anchor = self._anchor()
        access = cleanup.access(kubernetes_provider.access_of(self))
        shared: dict[str, Any] = {
            "namespace": _namespace_of(anchor),
            "stateful_set": self._surroundings.name,
            **({} if isinstance(anchor, Service) else {"role": self._own_name}),
            "service_uid": anchor.metadata.apply(lambda metadata: metadata.uid),  # without a cluster, there is none
            "secret_is_ours": bool(self.state_secrets),
            "api_url": cleanup.url(self._args.login_server),
            **{name: getattr(cleanup, name) for name in CREDENTIALS},
            "kubeconfig": access.kubeconfig,
            "context": access.context,
            "retain": cleanup.retain,
        }
        return [
            self._cleanup_resource(
                f"{self._name}-{'' if index < self._args.replicas else 'spare-'}device-{ordinal}",
                {**shared, "ordinal": ordinal},
                self._device_cleanup_options(index, ordinal),
            )
            for index, ordinal in enumerate(self._surroundings.ordinals(state.room(self._args.replicas)))
        ]

    def _device_cleanup_options(self, index: int, ordinal: int) -> pulumi.ResourceOptions:
        # A spare's (max_replicas) becomes a replica's by its old name, when it scales up; never the other way round: to
        # scale down is to delete the replica's.
        was_spare = [pulumi.Alias(name=f"{self._name}-spare-device-{ordinal}")] if index < self._args.replicas else []
        before = self._child(self._anchor(), *self.state_secrets[index : index + 1])
        return pulumi.ResourceOptions.merge(before, pulumi.ResourceOptions(aliases=was_spare))

    def _devices_of(self, stateful_set: StatefulSet, replicas: int | pulumi.Output[int]) -> pulumi.Output[list[Device]]:
        """The devices of a StatefulSet's replicas, in the order of the pods.

        Raises:
            ValueError: Which Secrets have the state is not known.
        """
        state, pod = self._args.state, self._surroundings
        if not state.in_secrets:
            raise ValueError(
                f"devices needs state=SecretState(): what {type(state).__name__} keeps, only the pod can read"
            )
        if pod.owner != "replica":
            raise ValueError("devices is for kind='StatefulSet', whose replicas are known by number")
        extras.DEVICES.require("devices")
        pods = pulumi.Output.from_input(replicas).apply(
            lambda count: [f"{pod.name}-{ordinal}" for ordinal in pod.ordinals(int(count))]
        )
        return outputs.devices(stateful_set, pods, kubernetes_provider.access_of(self))

    def _metadata(self, name: str, annotations: Mapping[str, Input[str]] | None = None) -> Any:
        metadata: dict[str, Any] = {"name": name, "labels": {"app": self._own_name, **self._args.labels}}
        if self._args.namespace is not None:
            metadata["namespace"] = self._args.namespace
        if annotations:
            metadata["annotations"] = dict(annotations)
        return metadata

    def _child(self, *depends_on: pulumi.Resource | None) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[r for r in depends_on if r is not None])


def _namespace_of(made: Role | Service) -> pulumi.Output[str]:
    """Where Kubernetes has put an object. A preview without a cluster does not know it; a program's own mocks may not."""
    elsewhere: Any = pulumi.UNKNOWN if is_dry_run() else "default"
    return made.metadata.apply(lambda metadata: metadata.namespace or elsewhere)
