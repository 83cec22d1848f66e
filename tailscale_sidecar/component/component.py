"""The component: registers the resources that the arguments ask for. What is in them is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pulumi
from pulumi.runtime import is_dry_run
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret, SecretPatch, Service, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from ..clients import extras
from ..devices import outputs
from ..devices.cleanup_provider import DeviceCleanupResource
from ..devices.device import Device
from ..pod import rules
from ..pod.model import Input
from . import defects, kubernetes_provider, pod_template, protection, rollout
from .args import TailscaleSidecarStatefulSetArgs


class TailscaleSidecarStatefulSet(pulumi.ComponentResource):
    """A StatefulSet whose replicas are devices of a tailnet, each with an identity that outlives its pod.

    All resources have the component as parent and are named `<name>-...`; in Kubernetes the StatefulSet, its headless
    Service, ServiceAccount and Role are called `name` (or `args.name`), and each state Secret like its pod.
    """

    def __init__(
        self,
        name: str,
        args: TailscaleSidecarStatefulSetArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers the component and its resources.

        Args:
            name: Name in Pulumi and, unless `args.name` is given, in Kubernetes: a DNS label of at most 52 characters.
            args: What it is made from.
            opts: Pulumi's options; a provider given here is that of all resources. `custom_timeouts` are the
                StatefulSet's: how long Pulumi waits for the pods to be on the tailnet. Unless given, 10 minutes, and
                for each replica 30 seconds and its terminationGracePeriodSeconds.

        Raises:
            TypeError: `args` are of another kind, such as a dict.
            ValueError: `name` cannot be the name of a StatefulSet with its Service and pods, or the pods would have a
                defect that docs/doctor.md calls an error.
        """
        if not isinstance(args, TailscaleSidecarStatefulSetArgs):
            raise TypeError(f"args must be TailscaleSidecarStatefulSetArgs(...), not {type(args).__name__}")
        kubernetes_name = rules.name(args.name or name)
        surroundings = pod_template.surroundings(kubernetes_name, args)
        spec = pod_template.stateful_set_spec(surroundings, args)
        defects.refuse({"kind": "StatefulSet", "metadata": {"name": kubernetes_name}, "spec": spec})
        super().__init__(
            "tailscale-sidecar:index:TailscaleSidecarStatefulSet",
            name,
            protection.remembered(kubernetes_name, args),
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=protection.hooks())),
        )
        self._kubernetes_name = kubernetes_name
        self._args = args
        self._surroundings = surroundings
        self._spec: Any = spec
        self._timeouts = opts.custom_timeouts if opts else None  # Pulumi's engine does not pass them on to children
        # Typed here: annotations of the class are what Pulumi's SDK would resolve anew for each component.
        self.service: Service = self._service()
        """The headless Service that gives each pod its name in the cluster."""
        self.service_account: ServiceAccount | None = self._service_account()
        """None with the argument `service_account_name`."""
        self.role: Role | None
        """None where the state needs no Secret."""
        self.role_binding: RoleBinding | None
        self.role, self.role_binding = self._rbac()
        self.policy: admission.ValidatingAdmissionPolicy | None
        """With `SecretState(access="guarded")`."""
        self.policy_binding: admission.ValidatingAdmissionPolicyBinding | None
        self.policy, self.policy_binding = self._policy()
        self.auth_secret: Secret | None = self._auth_secret()
        """None where the credential is in an existing Secret."""
        self.state_secrets: list[Secret | SecretPatch] = self._state_secrets()
        """With `SecretState(access="scoped")`, one a replica up to `max_replicas`, else empty. A SecretPatch makes a
        Secret too, and leaves it where it is when Pulumi deletes it (`retain_state=True`)."""
        self.device_cleanups: list[DeviceCleanupResource] = self._device_cleanups()
        """With the argument `device_cleanup`, one for each replica that may have a device, else empty."""
        self.stateful_set: StatefulSet = self._stateful_set()
        # No resources: for the hook, Pulumi's SDK would look up the old ones before the new ones are registered.
        self.register_outputs({})

    @cached_property
    def devices(self) -> pulumi.Output[list[Device]]:
        """The replicas' devices, in the order of the pods; read from the state Secrets once all replicas are up.

        Unknown in a preview that changes the StatefulSet. It needs the extra `devices`, and the kubeconfig of the
        component's Kubernetes provider; only a program that asks for it does.

        Raises:
            ValueError: The state is not in Secrets.
        """
        if not self._args.state.in_secrets:
            raise ValueError(
                f"devices needs state=SecretState(): what {type(self._args.state).__name__} keeps, only the pod can read"
            )
        extras.DEVICES.require("devices")
        pods = [f"{self._kubernetes_name}-{ordinal}" for ordinal in self._surroundings.ordinals(self._args.replicas)]
        return outputs.devices(self.stateful_set, pods, kubernetes_provider.access_of(self))

    def _service(self) -> Service:
        spec: Any = {
            "clusterIP": "None",
            "selector": {"app": self._kubernetes_name},
            "publishNotReadyAddresses": self._args.publish_not_ready_addresses,
        }
        return Service(
            f"{self._name}-service",
            metadata=self._metadata(self._kubernetes_name, self._args.service_annotations),
            spec=spec,
            opts=self._child(),
        )

    def _service_account(self) -> ServiceAccount | None:
        if self._args.service_account_name is not None:
            return None
        return ServiceAccount(
            f"{self._name}-service-account",
            metadata=self._metadata(self._kubernetes_name, self._args.service_account_annotations),
            automount_service_account_token=False,
            opts=self._child(),
        )

    def _rbac(self) -> tuple[Role | None, RoleBinding | None]:
        role_rules: Any = list(self._args.state.additions(self._surroundings).rules)
        if not role_rules:
            return None, None
        role = Role(
            f"{self._name}-role", metadata=self._metadata(self._kubernetes_name), rules=role_rules, opts=self._child()
        )
        subject: Any = {
            "kind": "ServiceAccount",
            "name": self._args.service_account_name or self._kubernetes_name,
            "namespace": _namespace_of(role),
        }
        role_ref: Any = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self._kubernetes_name}
        binding = RoleBinding(
            f"{self._name}-role-binding",
            metadata=self._metadata(self._kubernetes_name),
            subjects=[subject],
            role_ref=role_ref,
            opts=self._child(role),
        )
        return role, binding

    def _policy(self) -> tuple[Any, Any]:
        if self.role is None:
            return None, None
        namespace = _namespace_of(self.role)
        account = self._args.service_account_name or self._kubernetes_name
        spec: Any = self._args.state.policy(pulumi.Output.concat("system:serviceaccount:", namespace, ":", account))
        if spec is None:
            return None, None
        # Policies belong to the whole cluster: the namespace keeps those of two components with one name apart.
        unique: Any = {"name": pulumi.Output.concat(namespace, ".", self._kubernetes_name, ".own-secret")}
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
            metadata=self._metadata(f"{self._kubernetes_name}-auth"),
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
        access = cleanup.access(kubernetes_provider.access_of(self))
        shared: dict[str, Any] = {
            "namespace": _namespace_of(self.service),
            "stateful_set": self._kubernetes_name,
            "service_uid": self.service.metadata.apply(
                lambda metadata: metadata.uid
            ),  # without a cluster, there is none
            "secret_is_ours": bool(self.state_secrets),
            "api_url": cleanup.api_url,
            "client_secret": cleanup.client_secret,
            "access_token": cleanup.access_token,
            "kubeconfig": access.kubeconfig,
            "context": access.context,
            "retain": cleanup.retain,
        }
        return [
            DeviceCleanupResource(
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
        before = self._child(self.service, *self.state_secrets[index : index + 1])
        return pulumi.ResourceOptions.merge(before, pulumi.ResourceOptions(aliases=was_spare))

    def _stateful_set(self) -> StatefulSet:
        before = [self.service, self.service_account, self.role_binding, self.policy_binding, self.auth_secret]
        own = pulumi.ResourceOptions(
            custom_timeouts=rollout.custom_timeouts(self._args, self._timeouts),
            # An imported StatefulSet has Kubernetes' default in its inputs; Pulumi would replace it to take that away.
            ignore_changes=["spec.revisionHistoryLimit"],
        )
        return StatefulSet(
            f"{self._name}-stateful-set",
            metadata=self._metadata(self._kubernetes_name, rollout.stateful_set_annotations(self._args)),
            spec=self._spec,
            opts=pulumi.ResourceOptions.merge(self._child(*before, *self.state_secrets, *self.device_cleanups), own),
        )

    def _metadata(self, name: str, annotations: Mapping[str, Input[str]] | None = None) -> Any:
        metadata: dict[str, Any] = {"name": name, "labels": {"app": self._kubernetes_name, **self._args.labels}}
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
