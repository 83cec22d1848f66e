"""The schema of the package, made from the models: `python -m tailscale_sidecar.package.schema` writes schema.json."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..component.args import SidecarArgs
from ..component.component import TailscaleSidecarStatefulSet
from ..component.sidecar_injection import TailscaleSidecarInjection, TailscaleSidecarInjectionArgs
from ..component.split_dns_route import SplitDnsRoute
from ..component.stateful_set_args import TailscaleSidecarStatefulSetArgs
from ..component.workload_args import TailscaleSidecarArgs
from ..devices.device import Device
from ..pod.model import Model
from ..pod.objects import Json
from .created import CREATED, Creation
from .functions import arguments_of, purpose
from .spelling import CHOICES, NESTED, camel_case, member, members, properties, spelled

PACKAGE = "tailscale-sidecar"
REPOSITORY = "https://github.com/tailscale-sidecar/tailscale-sidecar"
DOWNLOAD_URL = f"git://{REPOSITORY.removeprefix('https://')}/package"
KUBERNETES_VERSION = "4.32.0"
"""Of Pulumi's package for Kubernetes, whose types are referred to: the oldest that pyproject.toml allows."""
KUBERNETES = {
    "pod_spec": "core/v1:PodSpec",
    "volume_claim_templates": "core/v1:PersistentVolumeClaim",
    "persistent_volume_claim_retention_policy": "apps/v1:StatefulSetPersistentVolumeClaimRetentionPolicy",
    "update_strategy": "apps/v1:StatefulSetUpdateStrategy",
    "resources": "core/v1:ResourceRequirements",
    "dns_resources": "core/v1:ResourceRequirements",
    "sidecar_volume_mounts": "core/v1:VolumeMount",
    "allow": "networking.k8s.io/v1:NetworkPolicyEgressRule",
}
"""Arguments that are Kubernetes' own, each with its type."""
SPECS = {
    "statefulSet": "apps/v1:StatefulSetSpec",
    "deployment": "apps/v1:DeploymentSpec",
    "daemonSet": "apps/v1:DaemonSetSpec",
    "job": "batch/v1:JobSpec",
    "cronJob": "batch/v1:JobSpec",  # Pulumi's SDK for Go cannot take a CronJobSpec that may be left out
}
"""The inputs and outputs of `TailscaleSidecar` that are a workload's spec, each with its type."""
ROUTE_INPUTS = arguments_of(SplitDnsRoute.__init__)
PRIMITIVES = {str: "string", int: "integer", float: "number", bool: "boolean"}
SAID_OTHERWISE = {
    "TailscaleSidecarStatefulSetArgs.pod_spec": "The app's own PodSpec. Everything in it is kept.",
    "TailscaleSidecarArgs.state": "Where the identity is kept. Default: `state.secretState` for a StatefulSet, else "
    "`state.emptyDirState`.",
}
"""Of what is otherwise in Python, beside the names."""
SIDECAR = """The sidecar in a workload of one's own: its `spec` goes in, and comes out with the sidecar in its pods.

Give the spec as the input that is called as its kind, such as `deployment`, and take the output of that name for the
workload's resource. In Kubernetes the objects that the sidecar needs are called `<workload>-tailscale`, and state Secrets
like the pods."""
READ_DEVICES = "readDevices"
"""What Python does not have: there, the devices are read when a program asks for them."""
FILE = "schema.json"


def text() -> str:
    """The schema as it is checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def checked_in() -> str:
    """The schema that the package is installed with."""
    return files(__package__).joinpath(FILE).read_text(encoding="utf-8")


def schema() -> Json:
    """The schema in Pulumi's form (pulumi.com/docs/iac/guides/building-extending/packages/schema)."""
    kinds: Json = {"Device": _device()}
    for field, base in CHOICES.items():
        kinds[base.__name__] = _choice(field, base, kinds)
    for nested in NESTED.values():
        kinds[nested.__name__] = {"description": _prose(nested), **_object(nested, kinds)}
    resources = {
        "TailscaleSidecarStatefulSet": _stateful_set(kinds),
        "TailscaleSidecar": _sidecar(kinds),
        "TailscaleSidecarInjection": _resource(
            _prose(TailscaleSidecarInjection), _object(TailscaleSidecarInjectionArgs, kinds)
        ),
        "SplitDnsRoute": _resource(_prose(SplitDnsRoute), _object(ROUTE_INPUTS, kinds)),
        **{name: _created(creation, kinds) for name, creation in CREATED.items()},
    }
    return {
        "name": PACKAGE,
        "displayName": "Tailscale sidecar",
        "version": version(PACKAGE),
        "description": "A lasting identity on a tailnet for each replica of a Kubernetes StatefulSet.",
        "keywords": ["pulumi", "kubernetes", "tailscale", "category/network", "kind/component"],
        "homepage": REPOSITORY,
        "license": "Apache-2.0",
        "repository": REPOSITORY,
        "publisher": "tailscale-sidecar",
        "pluginDownloadURL": DOWNLOAD_URL,
        "language": _languages(),
        "types": {f"{PACKAGE}:index:{name}": kind for name, kind in sorted(kinds.items())},
        "resources": {token(name): resource for name, resource in sorted(resources.items())},
    }


def token(name: str) -> str:
    """A resource's type in Pulumi; as in a program in Python, so that the engine takes either's for the same."""
    return f"{PACKAGE}:index:{name}"


def _languages() -> Json:
    """What the SDKs are called: they are nobody's but this project's."""
    called = "tailscalesidecar"
    go = {"importBasePath": f"{REPOSITORY.removeprefix('https://')}/sdk/go/{called}", "rootPackageName": called}
    same = {"respectSchemaVersion": True}
    return {
        "csharp": {**same, "packageReferences": {"Pulumi": "3.*", "Pulumi.Kubernetes": "4.*"}},
        "go": {**same, "generateResourceContainerTypes": True, **go},
        "java": {"dependencies": {"com.pulumi:kubernetes": KUBERNETES_VERSION}},
        "nodejs": {
            **same,
            "packageName": "@tailscale-sidecar/pulumi",
            "dependencies": {"@pulumi/kubernetes": f"^{KUBERNETES_VERSION}"},
        },
        "python": {
            **same,
            "pyproject": {"enabled": True},
            "requires": {"pulumi-kubernetes": f">={KUBERNETES_VERSION},<5"},
        },
    }


def _resource(description: str, inputs: Json, outputs: Json | None = None, required: Sequence[str] = ()) -> Json:
    return {
        "isComponent": True,
        "description": description,
        "inputProperties": inputs["properties"],
        "requiredInputs": inputs["required"],
        "properties": outputs or {},
        "required": list(required),
    }


def _stateful_set(kinds: Json) -> Json:
    inputs = _object(TailscaleSidecarStatefulSetArgs, kinds)
    inputs["properties"][READ_DEVICES] = {
        "type": "boolean",
        "description": "Whether the output `devices` is there: it is read from the state Secrets, with the kubeconfig of "
        "the Kubernetes provider, once all replicas are on the tailnet. Default: where the state is in Secrets and "
        "`waitForTailnet` is on.",
    }
    always = ("name", "namespace", "podNames", "service", "statefulSet")
    return _resource(_prose(TailscaleSidecarStatefulSet), inputs, _outputs(), always)


def _sidecar(kinds: Json) -> Json:
    inputs = _object(TailscaleSidecarArgs, kinds)
    outputs = {}
    for name, kind in SPECS.items():
        reference = {"$ref": _kubernetes("types", kind)}
        whose = "`spec.jobTemplate.spec`" if name == "cronJob" else "`spec`"
        others = ", ".join(f"`{other}`" for other in SPECS)
        said = f"The {whose} of a {kind_of(name)}. Exactly one of these is given: {others}."
        inputs["properties"][name] = {**reference, "description": said}
        outputs[name] = {**reference, "description": "The input of this name, with the sidecar in its pods."}
    # Typed as always there, so that a program can hand the one that it asked for to a resource as it is.
    return _resource(SIDECAR, inputs, outputs, list(SPECS))


def kind_of(spec: str) -> str:
    """The kind of the workload that an input of `SPECS` is the spec of."""
    return spec[0].upper() + spec[1:]


def _created(creation: Creation, kinds: Json) -> Json:
    described = _descriptions(creation.kind)
    # None is called secret here, but by the provider: of an output of a component that is, Java's generator (1.13) makes
    # what does not compile.
    outputs = {camel_case(name): {"type": "string", "description": described[name]} for name in creation.outputs}
    return _resource(
        _worded(purpose(creation.create)),
        _object(creation.inputs, kinds),
        outputs,
        sorted(map(camel_case, creation.outputs)),
    )


def _outputs() -> Json:
    def made(kind: str, description: str) -> Json:
        return {"$ref": _kubernetes("resources", kind), "description": description}

    return {
        "authSecret": made("core/v1:Secret", "Absent where the credential is in an existing Secret."),
        "devices": {
            "type": "array",
            "items": {"$ref": _own("Device")},
            "description": "The replicas' devices on the tailnet, in the order of the pods. Absent without `readDevices`.",
        },
        "name": {"type": "string", "description": "Name in Kubernetes of the StatefulSet and its Service."},
        "namespace": {"type": "string", "description": "Namespace of all objects."},
        "podNames": {"type": "array", "items": {"type": "string"}, "description": "Names of the pods."},
        "service": made("core/v1:Service", "The headless Service that gives each pod its name in the cluster."),
        "serviceAccount": made("core/v1:ServiceAccount", "Absent with the input `serviceAccountName`."),
        "statefulSet": made("apps/v1:StatefulSet", "The StatefulSet."),
    }


def _device() -> Json:
    names = [name for name, found in vars(Device).items() if isinstance(found, property)]
    described = {
        camel_case(name): str(inspect.getdoc(getattr(Device, name))).replace("None", "absent") for name in names
    }
    return {
        "type": "object",
        "description": "A replica's device on the tailnet.",
        "properties": {name: {"type": "string", "description": said} for name, said in described.items()},
        "required": ["deviceId", "fqdn", "pod"],
    }


def _choice(field: str, base: type[Model], kinds: Json) -> Json:
    """An object of which exactly one member is given, since a schema has no unions that every language can use."""
    described = _descriptions(TailscaleSidecarStatefulSetArgs)[field]
    described += _default(TailscaleSidecarStatefulSetArgs.model_fields[field])
    found = {}
    for name, kind in members(base).items():
        kinds[kind.__name__] = {"description": _prose(kind), **_object(kind, kinds)}
        found[name] = {"$ref": _own(kind.__name__), "description": _prose(kind)}
    one = f"Exactly one member is given: {', '.join(f'`{name}`' for name in found)}."
    return {"type": "object", "description": f"{described}\n\n{one}", "properties": found}


def _object(kind: type[Model], kinds: Json) -> Json:
    described = _descriptions(kind)
    found, required = {}, []
    for name, (python_name, field) in sorted(properties(kind).items()):
        described_as = described[python_name]
        described_as += "" if "Default: " in described_as else _default(field)
        found[name] = {**_type(kind, python_name, field, kinds), "description": described_as}
        if not field.repr and _of(field.annotation) is str:
            found[name]["secret"] = True
        if field.is_required():
            required.append(name)
    return {"type": "object", "properties": found, "required": required}


def _default(field: FieldInfo) -> str:
    """The default, where the docstring does not say what comes of none."""
    default = field.default
    if isinstance(field.default_factory, type):
        return f" Default: `{member(field.default_factory)}`."
    if isinstance(default, tuple) and default and all(isinstance(item, str | int) for item in default):
        default = list(default)
    if default in (None, "", {}, ()) or field.is_required() or field.default_factory is not None:
        return ""
    return f" Default: `{json.dumps(default)}`."


def _type(kind: type[Model], name: str, field: FieldInfo, kinds: Json) -> Json:
    hint = _of(field.annotation)
    if one := {**CHOICES, **NESTED}.get(name):
        return {"$ref": _own(one.__name__)}
    if name in KUBERNETES:
        reference = {"$ref": _kubernetes("types", KUBERNETES[name])}
        return {"type": "array", "items": reference} if typing.get_origin(hint) is tuple else reference
    if typing.get_origin(hint) is Literal:
        prefix = "" if issubclass(kind, SidecarArgs) else kind.__name__
        called = prefix + "".join(word.title() for word in name.split("_"))
        kinds[called] = {"type": "string", "enum": [{"value": value} for value in typing.get_args(hint)]}
        return {"$ref": _own(called)}
    return _plain_type(hint)


def _plain_type(hint: Any) -> Json:
    hint = _of(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (tuple, Sequence):
        return {"type": "array", "items": _plain_type(arguments[0])}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _plain_type(arguments[1])}
    return {"type": PRIMITIVES[hint]}


def _of(hint: Any) -> Any:
    """A type without what pydantic is told about it, and without None."""
    if typing.get_origin(hint) is typing.Annotated:
        return _of(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (known,) = [of for of in typing.get_args(hint) if of is not type(None)]
        return _of(known)
    return hint


def _own(name: str) -> str:
    return f"#/types/{PACKAGE}:index:{name}"


def _kubernetes(section: str, kind: str) -> str:
    return f"/kubernetes/v{KUBERNETES_VERSION}/schema.json#/{section}/kubernetes:{kind.replace('/', '%2F')}"


def _prose(kind: type) -> str:
    return _worded(inspect.getdoc(kind) or "")


def _worded(text: str) -> str:
    """A docstring in the words of these languages, whose package has all extras."""
    return spelled(text.replace("Needs the extra `tailscale`; ", "")).replace("`args.name`", "the input `name`")


def _descriptions(kind: type[Model]) -> dict[str, str]:
    """The docstrings below the fields, inherited ones too, or what the fields of a function's model have."""
    found = {name: spelled(field.description) for name, field in kind.model_fields.items() if field.description}
    if found:
        return found
    for base in reversed(kind.__mro__[: kind.__mro__.index(BaseModel)]):
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        for field, said in pairwise(typing.cast("ast.ClassDef", definition).body):
            match field, said:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[name] = spelled(SAID_OTHERWISE.get(f"{kind.__name__}.{name}") or inspect.cleandoc(words))
    return found


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(text(), encoding="utf-8")
