"""The components of the package: those of the library, with their outputs in Pulumi's state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pulumi
from typing_extensions import override

from ..component import defects
from ..component.component import TailscaleSidecarStatefulSet
from ..component.injection import injected
from ..component.sidecar import TailscaleSidecar, surroundings
from ..component.sidecar_injection import TailscaleSidecarInjection, TailscaleSidecarInjectionArgs
from ..component.split_dns_route import SplitDnsRoute
from ..component.stateful_set_args import TailscaleSidecarStatefulSetArgs
from ..component.workload_args import TailscaleSidecarArgs
from ..pod.model import Model
from ..pod.objects import Json
from .created import CREATED, Created
from .device_cleanup import DeviceCleanupResource
from .inputs import arguments, one_of, plain
from .schema import READ_DEVICES, ROUTE_INPUTS, SPECS, kind_of, token
from .spelling import camel_case, lower, spelled


class Made(Protocol):
    """A component of the package."""

    @property
    def urn(self) -> pulumi.Output[str]:
        """Pulumi's name of it."""

    def outputs(self) -> Json:
        """What a program in another language reads."""


class StatefulSet(TailscaleSidecarStatefulSet):
    """A StatefulSet whose replicas are devices of a tailnet."""

    _spelled = staticmethod(spelled)
    _cleanup_resource = DeviceCleanupResource

    def __init__(
        self,
        name: str,
        args: TailscaleSidecarStatefulSetArgs,
        opts: pulumi.ResourceOptions | None,
        *,
        read_devices: bool,
    ) -> None:
        self._read_devices = read_devices
        super().__init__(name, args, opts)

    @staticmethod
    async def read(given: Json) -> Json:
        """The constructor's arguments, of inputs that are settled."""
        read_devices = await plain(given.pop(READ_DEVICES, None))
        args = await arguments(TailscaleSidecarStatefulSetArgs, given)
        default = args.state.in_secrets and args.wait_for_tailnet
        return {"args": args, "read_devices": default if read_devices is None else read_devices}

    @override
    def register_outputs(self, outputs: pulumi.Inputs) -> None:
        super().register_outputs({**outputs, **self.values()})

    def values(self) -> Json:
        """The outputs that are no resources."""
        pods = self._surroundings.ordinals(self._args.replicas)
        found: Json = {
            "name": self._own_name,
            "namespace": self.stateful_set.metadata.apply(lambda metadata: metadata.namespace),
            "podNames": [f"{self._own_name}-{ordinal}" for ordinal in pods],
        }
        if self._read_devices:
            found["devices"] = self.devices.apply(
                lambda devices: [{camel_case(key): value for key, value in device.items()} for device in devices]
            )
        return found

    def outputs(self) -> Json:
        """All outputs."""
        made = {
            "authSecret": self.auth_secret,
            "service": self.service,
            "serviceAccount": self.service_account,
            "statefulSet": self.stateful_set,
        }
        return {**self.values(), **{name: resource for name, resource in made.items() if resource is not None}}


class Sidecar(TailscaleSidecar):
    """The sidecar in a workload of one's own: its `spec` goes in, and comes out with the sidecar in its pods."""

    _spelled = staticmethod(spelled)
    _cleanup_resource = DeviceCleanupResource

    def __init__(
        self, name: str, args: TailscaleSidecarArgs, opts: pulumi.ResourceOptions | None, *, spec: Json
    ) -> None:
        is_cron_job = args.kind == "CronJob"
        given = {"spec": {"jobTemplate": {"spec": spec}} if is_cron_job else spec}
        workload = injected(given, args, surroundings(args))
        defects.refuse({**workload, "kind": args.kind, "metadata": {"name": args.workload}})
        self._injected = workload["spec"]["jobTemplate"]["spec"] if is_cron_job else workload["spec"]
        super().__init__(name, args, opts)

    @staticmethod
    async def read(given: Json) -> Json:
        """The constructor's arguments, of inputs that are settled."""
        specs = {name: given.pop(name) for name in SPECS if name in given}
        name, spec = await one_of(specs, SPECS)
        args = await arguments(TailscaleSidecarArgs, given, kind=kind_of(name))
        return {"args": args, "spec": spec}

    @override
    def _expect_workload(self) -> None:
        """There is no transform: the workload's spec is given."""

    @override
    def register_outputs(self, outputs: pulumi.Inputs) -> None:
        super().register_outputs({**outputs, **self.outputs()})

    def outputs(self) -> Json:
        """The spec. Whatever takes it depends on what the pods need, as it does with a transform."""
        needed = [one.urn for one in self._needed()]
        return {lower(self._args.kind): pulumi.Output.all(*needed).apply(lambda _: self._injected)}


class Injection(TailscaleSidecarInjection):
    """The sidecar for pods that Pulumi does not know of."""

    _spelled = staticmethod(spelled)

    def outputs(self) -> Json:
        """None."""
        return {}


class Route(SplitDnsRoute):
    """A split DNS route; its name is the domain."""

    def __init__(self, name: str, args: Any, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(name, args.nameservers, opts)

    def outputs(self) -> Json:
        """None."""
        return {}


@dataclass(frozen=True)
class Kind:
    """One of the package's resources."""

    read: Callable[[Json], Awaitable[Json]]
    """Turns inputs that are settled into arguments of `make`."""
    make: Callable[..., Made]
    """Makes it of its name in Pulumi, those arguments, and options."""


def _of_function(inputs: type[Model], make: Callable[..., Made]) -> Kind:
    async def read(given: Json) -> Json:
        return {"args": await arguments(inputs, given)}

    return Kind(read, make)


KINDS: Mapping[str, Kind] = {
    token("TailscaleSidecarStatefulSet"): Kind(StatefulSet.read, StatefulSet),
    token("TailscaleSidecar"): Kind(Sidecar.read, Sidecar),
    token("TailscaleSidecarInjection"): _of_function(TailscaleSidecarInjectionArgs, Injection),
    token("SplitDnsRoute"): _of_function(ROUTE_INPUTS, Route),
    **{
        token(name): _of_function(creation.inputs, partial(Created, token(name), creation))
        for name, creation in CREATED.items()
    },
}
"""The package's resources by their type in Pulumi."""
