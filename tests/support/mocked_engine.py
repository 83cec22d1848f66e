"""Stands for the engine: runs a program with Pulumi's mocks and keeps every registration with its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor

COMPONENT = "tailscale-sidecar:index:TailscaleSidecarStatefulSet"
SECRET_KEY = "4dabf18193072939515e22adb298388d"

MADE_BY_TAILSCALE = {
    "OauthClient": {"key": "tskey-client-made"},
    "TailnetKey": {"key": "tskey-auth-made"},
    "FederatedIdentity": {"audience": "api.tailscale.com/made"},
}
"""What a credential has, by its kind, when Pulumi's provider has made it."""


@dataclass(frozen=True)
class Registration:
    """One resource as the engine sees it."""

    type: str
    name: str
    urn: str
    parent: str
    provider: str
    dependencies: frozenset[str]
    protect: bool
    retain_on_delete: bool
    aliases: tuple[str, ...]
    """The names, types or URNs that the resource had before."""
    ignore_changes: tuple[str, ...]
    timeouts: Mapping[str, str]
    """How long create, update and delete may take."""
    inputs: Mapping[str, Any]

    @staticmethod
    def of(request: Any, urn: str) -> Registration:
        """What a RegisterResourceRequest says."""
        return Registration(
            type=request.type,
            name=request.name,
            urn=urn,
            parent=request.parent,
            provider=request.provider,
            dependencies=frozenset(request.dependencies),
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            aliases=tuple(alias.spec.name or alias.spec.type or alias.urn for alias in request.aliases),
            ignore_changes=tuple(request.ignoreChanges),
            timeouts={key: getattr(request.customTimeouts, key) for key in ("create", "update", "delete")},
            inputs=_plain(request.object),
        )

    @property
    def kind(self) -> str:
        return self.type.rpartition(":")[2]


class _Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if not args.typ.startswith("kubernetes:"):
            return f"{args.name}-id", {**MADE_BY_TAILSCALE.get(args.typ.rpartition(":")[2], {}), **args.inputs}
        # As the provider does, gives names and a namespace to what has none.
        metadata = {"name": f"{args.name}-1a2b3c4d", "namespace": "default", **args.inputs.get("metadata", {})}
        return f"{args.name}-id", {**args.inputs, "metadata": metadata}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"the component calls {args.token}")


class _Monitor(MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.seen: list[Registration] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call] # the SDK does not type it
        self.seen.append(Registration.of(request, response.urn))
        return response


def registered(program: Callable[[], object]) -> list[Registration]:
    """What the program registers, in the order of their names."""
    monitor = _Monitor()
    pulumi.runtime.set_mocks(monitor.mocks, project="project", stack="stack", preview=False, monitor=monitor)
    run: Any = pulumi.runtime.test  # the SDK does not type it
    run(program)()
    return sorted(monitor.seen, key=lambda found: (found.type, found.name))


def value_of(output: pulumi.Output[Any]) -> Any:
    """An Output's value; to be called after `registered`."""
    found: list[Any] = []
    run: Any = pulumi.runtime.test
    run(lambda: output.apply(found.append))()
    return found[0]


def is_secret(value: Any) -> bool:
    """Whether the engine is told that a value is a secret, and so encrypts it and does not print it."""
    return isinstance(value, Mapping) and SECRET_KEY in value


def _plain(message: Any) -> Any:
    """A protobuf Struct as Python values; here, unlike in mocks, a secret leaf does not make all around it secret."""
    kind = type(message).__name__
    if kind == "Struct":
        return {key: _plain(value) for key, value in message.fields.items()}
    if kind == "ListValue":
        return [_plain(value) for value in message.values]
    chosen = message.WhichOneof("kind")
    value = getattr(message, chosen)
    return _plain(value) if chosen in ("struct_value", "list_value") else None if chosen == "null_value" else value
