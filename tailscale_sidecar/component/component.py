"""The component: registers the resources that the arguments ask for. What is in them is decided elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from typing_extensions import override

from ..devices.device import Device
from ..pod import rules
from . import defects, pod_template, protection, rollout
from .resources import SidecarResources, namespace_of
from .stateful_set_args import TailscaleSidecarStatefulSetArgs

if TYPE_CHECKING:
    from pulumi_kubernetes.networking.v1 import NetworkPolicy


class TailscaleSidecarStatefulSet(SidecarResources):
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
        surroundings = pod_template.surroundings(kubernetes_name, args, f"{kubernetes_name}-auth")
        spec = pod_template.stateful_set_spec(surroundings, args)
        defects.refuse({"kind": "StatefulSet", "metadata": {"name": kubernetes_name}, "spec": spec})
        super().__init__(
            "tailscale-sidecar:index:TailscaleSidecarStatefulSet",
            name,
            protection.remembered_of_stateful_set(kubernetes_name, args),
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=protection.hooks(self._spelled))),
        )
        self._own_name = kubernetes_name
        self._args: TailscaleSidecarStatefulSetArgs = args
        self._surroundings = surroundings
        self._spec: Any = spec
        self._timeouts = opts.custom_timeouts if opts else None  # Pulumi's engine does not pass them on to children
        # Typed here: annotations of the class are what Pulumi's SDK would resolve anew for each component.
        self.service: Service = self._service()
        """The headless Service that gives each pod its name in the cluster."""
        self.service_account: ServiceAccount | None = self._service_account()
        """None with the argument `service_account_name`."""
        self._register_resources()
        self.pod_monitor: CustomResource | None
        self.prometheus_rule: CustomResource | None
        self.pod_monitor, self.prometheus_rule = self._monitoring()
        """With `Monitoring(operator=True)`."""
        self.network_policy: NetworkPolicy | None = self._network_policy()
        """With the argument `egress_policy`."""
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
        return self._devices_of(self.stateful_set, self._args.replicas)

    def _service(self) -> Service:
        spec: Any = {
            "clusterIP": "None",
            "selector": {"app": self._own_name},
            "publishNotReadyAddresses": self._args.publish_not_ready_addresses,
        }
        return Service(
            f"{self._name}-service",
            metadata=self._metadata(self._own_name, self._args.service_annotations),
            spec=spec,
            opts=self._child(),
        )

    def _service_account(self) -> ServiceAccount | None:
        if self._args.service_account_name is not None:
            return None
        return ServiceAccount(
            f"{self._name}-service-account",
            metadata=self._metadata(self._own_name, self._args.service_account_annotations),
            automount_service_account_token=False,
            opts=self._child(),
        )

    def _monitoring(self) -> tuple[CustomResource | None, CustomResource | None]:
        monitoring, name = self._args.monitoring, self._own_name
        if monitoring is None or not monitoring.operator:
            return None, None
        namespace = namespace_of(self.service)
        specs: dict[str, Any] = {
            "PodMonitor": monitoring.pod_monitor(name),
            "PrometheusRule": namespace.apply(lambda known: monitoring.prometheus_rule(known, name)),
        }
        pod_monitor, prometheus_rule = (
            CustomResource(
                f"{self._name}-{resource}",
                api_version="monitoring.coreos.com/v1",
                kind=kind,
                metadata=self._metadata(name, labels=monitoring.labels),
                spec=specs[kind],
                opts=self._child(),
            )
            for resource, kind in (("pod-monitor", "PodMonitor"), ("prometheus-rule", "PrometheusRule"))
        )
        return pod_monitor, prometheus_rule

    def _network_policy(self) -> NetworkPolicy | None:
        args = self._args
        if args.egress_policy is None:
            return None
        from pulumi_kubernetes.networking.v1 import NetworkPolicy  # noqa: PLC0415 - takes 0.1 s

        spec: Any = args.egress_policy.network_policy(
            self._own_name, args.login_server, args.advertise_routes, asks_kubernetes=args.state.in_secrets
        )
        metadata = self._metadata(self._own_name)
        return NetworkPolicy(f"{self._name}-network-policy", metadata=metadata, spec=spec, opts=self._child())

    def _stateful_set(self) -> StatefulSet:
        rights = [self.service_account, self.role_binding, self.policy_binding]
        before = [self.service, *rights, self.auth_secret, self.network_policy]
        own = pulumi.ResourceOptions(
            custom_timeouts=rollout.custom_timeouts(self._args, self._timeouts),
            # An imported StatefulSet has Kubernetes' default in its inputs; Pulumi would replace it to take that away.
            ignore_changes=["spec.revisionHistoryLimit"],
        )
        return StatefulSet(
            f"{self._name}-stateful-set",
            metadata=self._metadata(self._own_name, rollout.stateful_set_annotations(self._args)),
            spec=self._spec,
            opts=pulumi.ResourceOptions.merge(self._child(*before, *self.state_secrets, *self.device_cleanups), own),
        )

    @override
    def _anchor(self) -> Service:
        return self.service
