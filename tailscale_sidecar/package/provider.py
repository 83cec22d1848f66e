"""The provider: makes the component for a program in another language. Pulumi's engine starts one for each program."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import grpc  # type: ignore[import-untyped] # it has no types
import grpc.aio  # type: ignore[import-untyped] # it has no types
import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult, Provider
from pulumi.provider.server import ProviderServicer
from pulumi.runtime import is_dry_run, proto
from pulumi.runtime.proto import provider_pb2_grpc
from typing_extensions import override

from ..clients.errors import ClusterError, ExtraMissingError
from ..component.component import TailscaleSidecarStatefulSet
from ..component.stateful_set_args import TailscaleSidecarStatefulSetArgs
from ..pod.objects import Json
from .inputs import InputError, arguments, plain, settled
from .schema import PACKAGE, READ_DEVICES, TOKEN, checked_in
from .spelling import camel_case, spelled

NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
"""A program's inputs may be longer than gRPC's 4 MiB."""


class Component(TailscaleSidecarStatefulSet):
    """The component with its outputs in Pulumi's state, where a program in another language reads them."""

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


class SidecarProvider(Provider):
    """What the package makes. Several components are made at once; Pulumi's SDK gives each a context of its own."""

    def __init__(self) -> None:
        super().__init__(version(PACKAGE), checked_in())

    @override
    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Makes a component of what `Servicer` has read; without that, in a preview, nothing but its name."""
        if resource_type != TOKEN:
            raise InputError(f"{resource_type} is no resource of this package; there is {TOKEN}")
        if not inputs:
            alone = pulumi.ComponentResource(TOKEN, name, {}, options)
            alone.register_outputs({})
            return ConstructResult(alone.urn, {})
        component = Component(name, inputs["args"], options, read_devices=inputs[READ_DEVICES])
        return ConstructResult(component.urn, component.outputs())


class Servicer(ProviderServicer):
    """Pulumi's server of providers, with inputs read as this package's and errors that are a sentence."""

    @override
    async def _construct(self, request: proto.ConstructRequest, context: Any) -> proto.ConstructResponse:
        try:
            return await super()._construct(request, context)
        except (ValueError, ClusterError, ExtraMissingError) as error:
            raise InputPropertiesError(spelled(str(error)), []) from None

    @staticmethod
    @override
    async def _construct_inputs(inputs: Any, input_dependencies: Any) -> dict[str, Any]:
        read = ProviderServicer._construct_inputs  # noqa: SLF001 - the part of Pulumi's server that is done otherwise
        given = await settled(await read(inputs, input_dependencies))
        read_devices = await plain(given.pop(READ_DEVICES, None))
        try:
            args = await arguments(given)
        except InputError as error:
            if not (error.is_only_unknown and is_dry_run()):
                raise
            pulumi.log.warn(
                f"this preview does not show what the component makes, which is known at `up` only: {error}"
            )
            return {}
        default = args.state.in_secrets and args.wait_for_tailnet
        return {"args": args, READ_DEVICES: default if read_devices is None else read_devices}

    @staticmethod
    @override
    def _construct_options(request: proto.ConstructRequest) -> pulumi.ResourceOptions:
        options = ProviderServicer._construct_options(request)  # noqa: SLF001 - as above
        times = request.customTimeouts  # read by Pulumi's own server, and then forgotten (3.272)
        given = {name: getattr(times, name) for name in ("create", "update", "delete") if getattr(times, name)}
        options.custom_timeouts = pulumi.CustomTimeouts(**given) if given else None
        return options


def main() -> None:
    """Serves until the engine ends the process; the first line printed is the port."""
    warnings.showwarning = lambda message, *_: pulumi.log.warn(spelled(str(message)))
    engine = next(argument for argument in sys.argv[1:] if not argument.startswith("-"))
    with suppress(KeyboardInterrupt):  # how the engine ends it
        asyncio.run(_serve(engine))


async def _serve(engine: str) -> None:
    server = grpc.aio.server(options=NO_LIMIT)
    servicer = Servicer(SidecarProvider(), sys.argv[1:], engine_address=engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()
