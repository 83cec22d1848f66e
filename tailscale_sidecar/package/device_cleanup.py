"""The clean-up of a replica's device as a resource of the package, whose provider does it when the resource is deleted.

A program in Python has it as a dynamic resource, which needs the Python of that program.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import grpc  # type: ignore[import-untyped] # it has no types
import pulumi
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped] # it has no types
from pulumi.provider.server import ProviderServicer
from pulumi.runtime import proto, rpc

from ..devices.cleanup_provider import SECRETS, DeviceCleanupProvider
from ..pod.objects import Json
from .schema import DOWNLOAD_URL, PACKAGE, token

TYPE = token("DeviceCleanup")
PROVIDER = DeviceCleanupProvider()


class DeviceCleanupResource(pulumi.CustomResource):
    """The clean-up of one replica's device."""

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        hidden = {key: pulumi.Output.secret(props[key]) for key in SECRETS if props.get(key) is not None}
        own = pulumi.ResourceOptions(
            additional_secret_outputs=list(SECRETS), version=version(PACKAGE), plugin_download_url=DOWNLOAD_URL
        )
        super().__init__(TYPE, name, {**props, **hidden}, pulumi.ResourceOptions.merge(opts, own))


class DeviceCleanupServicer(ProviderServicer):
    """What the engine asks of a resource. Properties go back as they came, with the secrets marked."""

    async def Check(self, request: proto.CheckRequest, context: Any) -> proto.CheckResponse:  # noqa: N802 - Pulumi's name
        """Takes all: the component has checked it."""
        del context
        return proto.CheckResponse(inputs=request.news)

    async def Diff(self, request: proto.DiffRequest, context: Any) -> proto.DiffResponse:  # noqa: N802 - Pulumi's name
        """Another replica's clean-up is another resource."""
        del context
        found = PROVIDER.diff(request.id, _values(request.olds), _values(request.news))
        changes = proto.DiffResponse.DIFF_SOME if found.changes else proto.DiffResponse.DIFF_NONE
        return proto.DiffResponse(changes=changes, replaces=found.replaces)

    async def Create(self, request: proto.CreateRequest, context: Any) -> proto.CreateResponse:  # noqa: N802 - Pulumi's name
        """Remembers what will be needed."""
        del context
        made = PROVIDER.create(_values(request.properties))
        return proto.CreateResponse(id=made.id, properties=request.properties)

    async def Read(self, request: proto.ReadRequest, context: Any) -> proto.ReadResponse:  # noqa: N802 - Pulumi's name
        """It is as it was."""
        del context
        return proto.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    async def Update(self, request: proto.UpdateRequest, context: Any) -> proto.UpdateResponse:  # noqa: N802 - Pulumi's name
        """Remembers it anew."""
        del context
        return proto.UpdateResponse(properties=request.news)

    async def Delete(self, request: proto.DeleteRequest, context: Any) -> Any:  # noqa: N802 - Pulumi's name
        """Takes the device off the tailnet."""
        try:
            await asyncio.to_thread(PROVIDER.delete, request.id, _values(request.properties))
        except RuntimeError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return Empty()


def _values(properties: Any) -> Json:
    found = rpc.deserialize_properties(properties, keep_unknowns=True)
    return {key: rpc.unwrap_rpc_secret(value) for key, value in found.items()}
