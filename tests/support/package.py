"""The component package, started as Pulumi's engine starts it, and a monitor that stands for the engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped] # it has no types
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped] # it has no types
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped] # it has no types
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped] # it has no types
from pulumi.runtime.proto import (
    callback_pb2,
    callback_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)
from typing_extensions import override

from tests.support.examples import ROOT
from tests.support.mocked_engine import MADE_BY_TAILSCALE, SECRET_KEY, Registration

FOLDER = ROOT / "package"
PACKAGE = "tailscale-sidecar:index:"
TOKEN = f"{PACKAGE}TailscaleSidecarStatefulSet"
OUTPUT_KEY = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


def installed(folder: Path) -> str:
    """What a project says of the package, where it is not installed from its repository: the folder that it is in."""
    package = folder / "package"
    package.mkdir()
    for name in ("PulumiPlugin.yaml", "__main__.py"):
        (package / name).symlink_to(FOLDER / name)
    (package / "venv").symlink_to(sys.prefix)
    return f"plugins: {{providers: [{{name: tailscale-sidecar, path: {package}}}]}}\n"


def output(value: Any = None, *, secret: bool = False, depends_on: Sequence[str] = ()) -> dict[str, Any]:
    """An Output as the engine sends it; without a value, one that is not known yet."""
    known = {} if value is None else {"value": value}
    return {SECRET_KEY: OUTPUT_KEY, **known, "secret": secret, "dependencies": list(depends_on)}


@dataclass
class Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Registers whatever it is told to, and keeps it."""

    seen: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    """What was registered as the outputs of each component, by its URN."""
    said: list[str] = field(default_factory=list)
    hooks: list[Any] = field(default_factory=list)
    """The callbacks that are called before a component changes."""

    @override
    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:
        del request, context
        return resource_pb2.DeploymentInfo(supportedFeatures=resource_pb2.ResourceMonitorFeature.values())

    @override
    def SupportsFeature(self, request: Any, context: Any) -> Any:
        del request, context
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    @override
    def RegisterResource(self, request: Any, context: Any) -> Any:
        del context
        urn = f"urn:pulumi:stack::project::{request.type}::{request.name}"
        found = Registration.of(request, urn)
        self.seen.append(found)
        made = Struct()
        made.CopyFrom(request.object)
        if request.type.startswith("tailscale:"):
            made.update(MADE_BY_TAILSCALE.get(found.kind, {}))
        elif request.type.startswith("kubernetes:"):  # as the provider does, gives a namespace to what has none
            metadata = made.get_or_create_struct("metadata")
            if "namespace" not in metadata.fields:
                metadata["namespace"] = "default"
        return resource_pb2.RegisterResourceResponse(urn=urn, id=f"{request.name}-id", object=made)

    @override
    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        del context
        self.outputs[request.urn] = request.outputs
        return Empty()

    @override
    def RegisterResourceHook(self, request: Any, context: Any) -> Any:
        del context
        self.hooks.append(request.callback)
        return Empty()

    @override
    def Log(self, request: Any, context: Any) -> Any:
        del context
        if request.severity >= engine_pb2.WARNING:
            self.said.append(request.message)
        return Empty()


@dataclass(frozen=True)
class Package:
    """The package that runs."""

    stub: provider_pb2_grpc.ResourceProviderStub
    address: str
    """Of the monitor."""
    monitor: Monitor

    def construct(self, name: str, inputs: Mapping[str, Any], *, preview: bool = False, **options: Any) -> Any:
        """Makes a component, a `TailscaleSidecarStatefulSet` unless `type` says otherwise.

        A grpc.RpcError says what is wrong.
        """
        return self.stub.Construct(self._request(name, inputs, preview=preview, **options))

    def refused_change(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """What it says before a component is changed from what the engine remembers of it."""
        (callback,) = self.monitor.hooks
        hooked = resource_pb2.ResourceHookRequest(
            urn=f"urn:pulumi:stack::project::{TOKEN}::app",
            name="app",
            old_inputs=ParseDict(dict(old), Struct()),
            new_inputs=ParseDict(dict(new), Struct()),
        )
        asked = callback_pb2.CallbackInvokeRequest(token=callback.token, request=hooked.SerializeToString())
        with grpc.insecure_channel(callback.target) as channel:
            answer = callback_pb2_grpc.CallbacksStub(channel).Invoke(asked)
        return str(resource_pb2.ResourceHookResponse.FromString(answer.response).error)

    def construct_all(self, inputs: Mapping[str, Mapping[str, Any]]) -> None:
        """Makes components, all at the same time."""
        for made in [self.stub.Construct.future(self._request(name, given)) for name, given in inputs.items()]:
            made.result()

    def refusal(self, inputs: Mapping[str, Any], **options: Any) -> str:
        """What it says of inputs that are wrong."""
        try:
            self.construct("app", inputs, **options)
        except grpc.RpcError as error:
            return str(error.details())
        raise AssertionError("nothing was refused")

    def _request(self, name: str, inputs: Mapping[str, Any], *, preview: bool = False, **options: Any) -> Any:
        return provider_pb2.ConstructRequest(
            project="project",
            stack="stack",
            monitorEndpoint=self.address,
            dryRun=preview,
            name=name,
            inputs=ParseDict(dict(inputs), Struct()),
            accepts_output_values=True,
            **{"type": TOKEN, **options},
        )


@contextmanager
def started() -> Iterator[Package]:
    """The package, until the end of the block."""
    monitor = Monitor()
    server = grpc.server(ThreadPoolExecutor(8))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(monitor, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    command = [sys.executable, "-u", str(FOLDER), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            yield Package(provider_pb2_grpc.ResourceProviderStub(channel), address, monitor)
        process.terminate()
    server.stop(None).wait()
