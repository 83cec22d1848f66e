"""Transforms of a program's resources, applied as the engine would."""

from __future__ import annotations

from typing import Any

import grpc  # type: ignore[import-untyped] # it has no types
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2


class Transforms:
    """A resource's own come first, then those of its parents, then the stack's.

    That is the engine's order (github.com/pulumi/pulumi pkg/resource/deploy/source_eval.go).
    """

    def __init__(self) -> None:
        self.of_stack: list[Any] = []
        self._of: dict[str, list[Any]] = {}
        self._parents: dict[str, str] = {}

    def apply(self, urn: str, request: Any) -> None:
        """Changes what a RegisterResourceRequest asks for."""
        self._of[urn], self._parents[urn] = list(request.transforms), request.parent
        while urn:
            for callback in self._of.get(urn, ()):
                _transform(callback, request)
            urn = self._parents.get(urn, "")
        for callback in self.of_stack:
            _transform(callback, request)


def _transform(callback: Any, request: Any) -> None:
    """Calls the function, which the SDK serves on the loopback interface. What it says of options is the engine's."""
    asked = resource_pb2.TransformRequest(
        type=request.type, name=request.name, custom=request.custom, parent=request.parent, properties=request.object
    )
    with grpc.insecure_channel(callback.target) as channel:
        invoke = callback_pb2_grpc.CallbacksStub(channel).Invoke
        answer = invoke(callback_pb2.CallbackInvokeRequest(token=callback.token, request=asked.SerializeToString()))
    request.object.CopyFrom(resource_pb2.TransformResponse.FromString(answer.response).properties)
