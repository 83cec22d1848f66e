"""The provider: makes the components for a program in another language. Pulumi's engine starts one for each program."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
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
from .components import KINDS
from .device_cleanup import DeviceCleanupServicer
from .inputs import InputError, settled
from .schema import PACKAGE, checked_in
from .spelling import spelled

NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
"""A program's inputs may be longer than gRPC's 4 MiB."""


TYPE: ContextVar[str] = ContextVar("TYPE")
"""Of the component that is being made: each is in a context of its own."""


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
        if not inputs:
            alone = pulumi.ComponentResource(resource_type, name, {}, options)
            alone.register_outputs({})
            return ConstructResult(alone.urn, {})
        component = KINDS[resource_type].make(name, opts=options, **inputs)
        return ConstructResult(component.urn, component.outputs())


class Servicer(DeviceCleanupServicer):
    """Pulumi's server of providers, with inputs read as this package's and errors that are a sentence."""

    @override
    async def _construct(self, request: proto.ConstructRequest, context: Any) -> proto.ConstructResponse:
        if request.type not in KINDS:
            raise InputPropertiesError(
                f"{request.type} is no resource of this package; there are: {', '.join(KINDS)}", []
            )
        TYPE.set(request.type)
        try:
            return await super()._construct(request, context)
        except (ValueError, ClusterError, ExtraMissingError) as error:
            raise InputPropertiesError(spelled(str(error)), []) from None

    @staticmethod
    @override
    async def _construct_inputs(inputs: Any, input_dependencies: Any) -> dict[str, Any]:
        read = ProviderServicer._construct_inputs  # noqa: SLF001 - the part of Pulumi's server that is done otherwise
        given = await settled(await read(inputs, input_dependencies))
        try:
            return await KINDS[TYPE.get()].read(given)
        except InputError as error:
            if not (error.is_only_unknown and is_dry_run()):
                raise
            pulumi.log.warn(
                f"this preview does not show what the component makes, which is known at `up` only: {error}"
            )
            return {}

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
