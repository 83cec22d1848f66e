"""The component that puts the sidecar into workloads of others: charts', YAML's, other components'."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.runtime import is_dry_run, settings
from pulumi.runtime.proto.resource_pb2_grpc import ResourceMonitorStub
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import PersistentVolumeClaim, Service
from pulumi_kubernetes.rbac.v1 import Role
from typing_extensions import override

from ..devices.device import Device
from ..pod.additions import Surroundings
from . import defects, pod_template, protection
from .end_of_program import at_end_of_program
from .injection import claim_name, injected
from .resources import SidecarResources
from .workload_args import INSTEAD, TailscaleSidecarArgs

GROUPS = {
    "StatefulSet": "apps/v1",
    "Deployment": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}


class TailscaleSidecar(SidecarResources):
    """The sidecar for a workload that is described elsewhere, by a chart, by YAML or by another component.

    It makes what the sidecar needs. Its `transform` puts the sidecar into the workload: give it to the resource that the
    workload comes from, as `opts=pulumi.ResourceOptions(transforms=[sidecar.transform])`. In Kubernetes its objects are
    called `<workload>-tailscale`, and state Secrets like the pods, or `<workload>-<node>`.
    """

    def __init__(self, name: str, args: TailscaleSidecarArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the component and its resources.

        Args:
            name: Name in Pulumi.
            args: What it is made from.
            opts: Pulumi's options; a provider given here is that of all its resources, and has to be the workload's.

        Raises:
            TypeError: `args` are of another kind, such as a dict.
            RunError: When the program ends, and the transform has seen no such workload, or two.
        """
        if not isinstance(args, TailscaleSidecarArgs):
            raise TypeError(f"args must be TailscaleSidecarArgs(...), not {type(args).__name__}")
        super().__init__(
            "tailscale-sidecar:index:TailscaleSidecar",
            name,
            protection.remembered(args, workload=args.workload),
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=protection.hooks(self._spelled))),
        )
        self._args: TailscaleSidecarArgs = args
        self._own_name = own_name(args)
        self._surroundings = surroundings(args)
        self._register_resources()
        self.state_claim: PersistentVolumeClaim | None = self._state_claim()
        """Where the identity of a Deployment is, with `PersistentVolumeState`."""
        self._matched: list[str] = []
        self._seen: list[str] = []
        self._is_unknown = False
        self._expect_workload()
        self.register_outputs({})

    def _expect_workload(self) -> None:
        if isinstance(settings.get_monitor(), ResourceMonitorStub):  # else Pulumi's mocks, which call no transform
            at_end_of_program(self._check_matched)

    async def transform(self, args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        """Puts the sidecar into the workload, and leaves every other resource as it is.

        Raises:
            ValueError: The workload has what the sidecar cannot be beside, or it is the second one.
        """
        kind = args.type_.rpartition(":")[2]
        if not args.type_.startswith("kubernetes:") or (kind not in GROUPS and kind not in INSTEAD):
            self._is_unknown |= not args.custom and pulumi.contains_unknowns(args.props)
            return None
        if not await self._is_it(args, kind):
            return None
        self._matched.append(args.name)
        if len(self._matched) > 1:
            raise ValueError(
                f"{self._ref} was found twice, as the resources {' and '.join(self._matched)}: give the transform to one of "
                "them, or namespace, to tell them apart"
            )
        needed = pulumi.ResourceOptions(depends_on=self._needed(), hooks=protection.workload_hooks())
        props = injected(dict(args.props), self._args, self._surroundings)
        defects.refuse({**props, "kind": kind})
        return pulumi.ResourceTransformResult(props=props, opts=pulumi.ResourceOptions.merge(args.opts, needed))

    def devices(self, stateful_set: StatefulSet) -> pulumi.Output[list[Device]]:
        """The devices of a StatefulSet's replicas, in the order of the pods; read from the state Secrets once all are up.

        Unknown in a preview that changes the StatefulSet. It needs the extra `devices`, and the kubeconfig of the
        component's Kubernetes provider.

        Args:
            stateful_set: The workload, as the program made it or as the chart's `resources` have it.

        Raises:
            ValueError: The workload is of another kind, or its state is not in Secrets.
        """
        return self._devices_of(
            stateful_set, stateful_set.spec.apply(lambda spec: 1 if spec.replicas is None else spec.replicas)
        )

    @property
    def _ref(self) -> str:
        return f"{self._args.kind} {self._args.workload}"

    async def _is_it(self, args: pulumi.ResourceTransformArgs, kind: str) -> bool:
        """Whether a resource is the workload. It is remembered, for the error that nothing was."""
        given = args.props.get("metadata") or {}
        metadata = await _known(given)
        self._is_unknown |= metadata is None
        metadata = metadata or {}
        name, namespace = await _known(metadata.get("name")), await _known(metadata.get("namespace"))
        wanted = await _known(self._args.namespace)
        self._is_unknown |= name is None and "name" in metadata
        ref = f"{kind} {f'{namespace}/' if namespace else ''}{name or f'of the resource {args.name}'}"
        self._seen.append(ref)
        is_kind = args.type_ == f"kubernetes:{GROUPS[self._args.kind]}:{self._args.kind}"
        return is_kind and name == self._args.workload and (not namespace or not wanted or namespace == wanted)

    def _needed(self) -> list[pulumi.Resource]:
        """What has to be there before the workload's pods, and to stay until they have ended."""
        own = [self.role_binding, self.policy_binding, self.auth_secret, self.state_claim]
        return [*(one for one in own if one is not None), *self.state_secrets, *self.device_cleanups]

    def _check_matched(self) -> None:
        if self._matched or (is_dry_run() and self._is_unknown):
            return
        seen = f"it saw {', '.join(sorted(set(self._seen)))}" if self._seen else "it saw no workload at all"
        other = next((INSTEAD[kind] for kind in INSTEAD for ref in self._seen if self._is_other(ref, kind)), None)
        raise pulumi.RunError(
            f"TailscaleSidecar {self._name}: its transform found no {self._ref}; {seen}. "
            + (
                other
                or "Give transforms=[sidecar.transform] to the resource that the workload comes from, and its name"
            )
        )

    def _is_other(self, ref: str, kind: str) -> bool:
        return ref.startswith(f"{kind} ") and ref.rpartition("/")[2].rpartition(" ")[2] == self._args.workload

    def _state_claim(self) -> PersistentVolumeClaim | None:
        if not self._args.is_lasting_deployment:
            return None
        (claim,) = self._args.state.additions(self._surroundings).volume_claim_templates
        # Kubernetes then lets one pod have it at a time: a pod that replaces one that still ends waits for its end.
        spec: Any = {**claim["spec"], "accessModes": ["ReadWriteOncePod"]}
        return PersistentVolumeClaim(
            f"{self._name}-state", metadata=self._metadata(claim_name(self._args)), spec=spec, opts=self._child()
        )

    @override
    def _anchor(self) -> Role | Service:
        if self.role is None:
            raise ValueError("device_cleanup needs state=SecretState()")  # the arguments have refused it
        return self.role


def own_name(args: TailscaleSidecarArgs) -> str:
    """Name in Kubernetes of what the component makes."""
    return f"{args.workload}-tailscale"


def surroundings(args: TailscaleSidecarArgs) -> Surroundings:
    """What the choices are told of the workload's pods."""
    return pod_template.surroundings(args.workload, args, f"{own_name(args)}-auth")


async def _known(value: Any) -> Any:
    """A value, or None where it is not known yet."""
    return await value.future() if isinstance(value, pulumi.Output) else value
