"""A Pulumi program's Kubernetes objects as YAML, without engine and cluster."""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
import yaml
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped] # it has no types
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto.resource_pb2_grpc import ResourceMonitorStub
from pulumi.runtime.rpc import UNKNOWN
from typing_extensions import override

from ..devices import cleanup_provider as device_cleanup_provider
from ..pod.objects import Json, whole_number
from .errors import RenderError
from .program_errors import program_errors
from .transforms import Transforms

SECRET_KEY = "4dabf18193072939515e22adb298388d"
"""Marks a special value in what the SDK sends to the engine (github.com/pulumi/pulumi sdk/python/lib/pulumi/runtime)."""
REDACTED = "<redacted; render with --show-secrets>"
AFTER_UP = "<known after pulumi up>"
GIVEN_BY_TAILSCALE = ("audience", "key")
"""What a credential has, beside its ID, only when Pulumi's provider has made it on the tailnet."""

# Objects that others need come first, so that the output can be applied in one go.
ORDER = ("Namespace", "ServiceAccount", "Secret", "ConfigMap", "Role", "RoleBinding", "Service")

APPLIED_PATCH = "kubernetes:core/v1:SecretPatch"
"""What `SecretState(retain_state=True)` registers. Like `kubectl apply --server-side`, it makes the Secret or keeps it."""

THREADS = 10_000
"""More than a program has resources at a time. Each waits in a thread for its transforms, which need threads as well: with
asyncio's few they would wait for each other for ever."""

FIRST = ("apiVersion", "kind", "metadata", "name")
"""Keys that a reader looks for first; the others follow by name, so that the same program always gives the same text."""


@dataclass(frozen=True)
class Registered:
    """A Kubernetes object that a program registers."""

    type: str
    """In Pulumi, such as `kubernetes:core/v1:Secret`."""
    name: str
    """In Pulumi."""
    object: Json


def render(
    program: Path, *, namespace: str = "default", config: Mapping[str, str] | None = None, show_secrets: bool = False
) -> str:
    """Runs a Pulumi program and returns its Kubernetes objects as YAML documents.

    Args:
        program: A folder with `__main__.py`, or a Python file.
        namespace: Namespace of the objects that do not name one: what the provider's would be.
        config: The stack's configuration; keys without a namespace belong to the project.
        show_secrets: Whether secret values are printed. Else they are replaced by what the API server refuses.

    Raises:
        RenderError: The program uses what needs an engine, such as a stack reference or an invoke. Of that, only what
            is made on the tailnet passes: its values are replaced by what the API server refuses.
        ProgramError: The program is wrong.
    """
    file = (program / "__main__.py" if program.is_dir() else program).resolve()
    if not file.is_file():
        raise RenderError(f"{program} is no Pulumi program: there is no {file.name}")
    project = _project_name(file.parent)
    keys = {key if ":" in key else f"{project}:{key}": value for key, value in (config or {}).items()}
    with program_errors(str(file)):
        found = record(partial(_run, file), namespace=namespace, project=project, config=keys)
    return to_yaml(found, show_secrets=show_secrets)


def record(
    program: Callable[[], object],
    *,
    namespace: str = "default",
    project: str = "render",
    config: Mapping[str, str] | None = None,
) -> list[Json]:
    """Calls a function that registers resources; returns their Kubernetes objects, with secrets marked as such.

    Raises:
        RenderError: The function uses what needs an engine.
    """
    return [found.object for found in registered(program, namespace=namespace, project=project, config=config)]


def registered(
    program: Callable[[], object],
    *,
    namespace: str = "default",
    project: str = "render",
    config: Mapping[str, str] | None = None,
) -> list[Registered]:
    """The same as `record`, with what Pulumi calls them."""
    recorder = _Recorder(namespace)
    monitor = _Monitor(recorder)
    pulumi.runtime.set_mocks(recorder, project=project, stack="render", preview=False, monitor=monitor)
    pulumi.runtime.set_all_config(dict(config or {}))

    def run() -> object:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        return program()

    wait_for_resources: Any = pulumi.runtime.test  # the SDK does not type it
    try:
        wait_for_resources(run)()
    except pulumi.ConfigMissingError as error:
        raise RenderError(f"the program needs configuration: give --config {error.key}=VALUE") from error
    except Exception as error:
        if recorder.refusal is None:
            raise
        raise RenderError(recorder.refusal) from error  # what the program made of no answer says less
    if recorder.refusal is not None:
        raise RenderError(recorder.refusal)
    return sorted(recorder.found, key=lambda found: _rank(found.object))


def to_yaml(objects: Iterable[Json], *, show_secrets: bool) -> str:
    """Writes recorded objects as YAML documents; secret values only if asked for."""
    shown = [plain(found, show_secrets=show_secrets) for found in objects]
    return yaml.dump_all(shown, Dumper=_Dumper, sort_keys=False, width=120)


def plain(found: Json, *, show_secrets: bool) -> Json:
    """A recorded object as Kubernetes takes it; without `show_secrets`, what was secret is what it refuses."""
    values = {key: found.get(key, {}) for key in ("data", "stringData")}
    if found["kind"] == "Secret" and not show_secrets:
        keys = [key for value in values.values() for key in _plain(value, show_secrets=True)]
        found = {key: value for key, value in found.items() if key not in values}
        if keys:  # `data` must be base64, which this is not: it cannot be applied by mistake
            found["data"] = dict.fromkeys(keys, REDACTED)
    result: Json = _plain(found, show_secrets=show_secrets)
    return result


def _run(file: Path) -> None:
    folder = Path.cwd()
    sys.path.insert(0, str(file.parent))
    os.chdir(file.parent)
    try:
        runpy.run_path(str(file), run_name="__main__")
    finally:
        os.chdir(folder)
        sys.path.remove(str(file.parent))


class _Monitor(MockMonitor, ResourceMonitorStub):  # the SDK serves a program's callbacks to a stub only
    """Keeps which leaves are secret: what the SDK hands to mocks is secret as a whole if one leaf in it is."""

    mocks: _Recorder

    def __init__(self, recorder: _Recorder) -> None:
        MockMonitor.__init__(self, recorder)  # and no channel: this is no stub of a server
        self._transforms = Transforms()

    @override
    def RegisterResource(self, request: Any) -> Any:
        self._transforms.apply(self.make_urn(request.parent, request.type, request.name), request)
        self.mocks.sent[request.type, request.name] = MessageToDict(request.object)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call] # the SDK does not type it

    def RegisterStackTransform(self, callback: Any) -> None:  # noqa: N802 - the protocol's name
        self._transforms.of_stack.append(callback)

    def RegisterStackInvokeTransform(self, callback: Any) -> None:  # noqa: N802 - the protocol's name
        """It changes what a function is asked, and functions are refused."""

    def RegisterResourceHook(self, request: Any) -> None:  # noqa: N802 - the protocol's name
        """A hook runs when something is made, which is not here."""

    RegisterErrorHook = RegisterResourceHook


class _Recorder(pulumi.runtime.Mocks):
    """Stands for the engine and keeps what the program registers."""

    def __init__(self, namespace: str) -> None:
        self.found: list[Registered] = []
        self.refusal: str | None = None
        self.sent: dict[tuple[str, str], Json] = {}
        self._namespace = namespace

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.custom is None:
            return self._refuse(f"reading {args.typ} {args.name!r} from the cluster")
        is_kubernetes = args.typ.startswith("kubernetes:")
        if (
            args.typ.startswith("pulumi:providers:")
            or args.typ == device_cleanup_provider.TYPE
            or not (args.custom or is_kubernetes)
        ):
            return args.name, dict(args.inputs)
        found = self.sent.pop((args.typ, args.name))
        if args.typ.startswith("tailscale:"):
            given_out = dict.fromkeys(GIVEN_BY_TAILSCALE, AFTER_UP)
            if args.typ.endswith(":OauthClient"):
                given_out["key"] = f"tskey-client-{AFTER_UP}"  # it is checked for that
            return AFTER_UP, {**given_out, **args.inputs}
        if not is_kubernetes or "kind" not in found or (args.typ.endswith("Patch") and args.typ != APPLIED_PATCH):
            return self._refuse(f"{args.typ} {args.name!r}")
        if UNKNOWN in str(found):
            return self._refuse(f"{args.typ} {args.name!r}, which is made from a component's `devices`,")
        given = found.get("metadata", {})
        metadata = {"name": args.name, **(given["value"] if SECRET_KEY in given else given)}
        if not _is_cluster_scoped(found["kind"]):
            metadata.setdefault("namespace", self._namespace)
        self.found.append(Registered(args.typ, args.name, {**found, "metadata": metadata}))
        return f"{metadata.get('namespace', '')}/{metadata['name']}", {**found, "metadata": metadata}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        self._refuse(f"the function {args.token}")
        return {}, []

    def _refuse(self, what: str) -> tuple[str, dict[Any, Any]]:
        self.refusal = self.refusal or f"{what} needs a Pulumi engine; render shows Kubernetes objects only"
        return what, {}


def _is_cluster_scoped(kind: str) -> bool:
    return kind.startswith(
        ("Namespace", "ClusterRole", "ValidatingAdmission", "MutatingAdmission", "ValidatingWebhook", "MutatingWebhook")
    ) or kind in (
        "APIService",
        "CSIDriver",
        "CustomResourceDefinition",
        "IngressClass",
        "IPAddress",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "VolumeAttachment",
    )


def _rank(found: Json) -> tuple[int, str, str]:
    kind = found["kind"]
    return (ORDER.index(kind) if kind in ORDER else len(ORDER), kind, found["metadata"]["name"])


def _plain(value: Any, *, show_secrets: bool) -> Any:
    """Unwraps what the SDK marks as secret, and turns whole floats, which is how it sends integers, back into those."""
    if isinstance(value, Mapping):
        if SECRET_KEY in value:
            # Where a string should be, the API server refuses an object.
            return _plain(value["value"], show_secrets=True) if show_secrets else {"redacted": REDACTED}
        keys = sorted(value, key=lambda key: (FIRST.index(key) if key in FIRST else len(FIRST), key))
        return {key: _plain(value[key], show_secrets=show_secrets) for key in keys}
    if isinstance(value, list):
        return [_plain(item, show_secrets=show_secrets) for item in value]
    if isinstance(value, str) and AFTER_UP in value:
        return {"unknown": value}  # refused too, with and without --show-secrets
    return whole_number(value)


def _project_name(folder: Path) -> str:
    for parent in (folder, *folder.parents):
        file = parent / "Pulumi.yaml"
        if file.is_file():
            return str(yaml.safe_load(file.read_text(encoding="utf-8"))["name"])
    return folder.name


class _Dumper(yaml.SafeDumper):
    """Writes scripts as they read, and every object in full."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)
