"""The names of arguments as other languages spell them: `clusterCidrs` for `cluster_cidrs`, `dns.clusterDns` for `ClusterDns()`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pydantic.fields import FieldInfo

from ..choices.auth import Auth
from ..choices.dns import Dns
from ..choices.egress import EgressPolicy
from ..choices.monitoring import Monitoring
from ..choices.networking import Networking
from ..choices.state import State
from ..component.sidecar_injection import TailscaleSidecarInjectionArgs
from ..component.stateful_set_args import TailscaleSidecarStatefulSetArgs
from ..component.workload_args import TailscaleSidecarArgs
from ..devices.cleanup import DeviceCleanup
from ..pod.model import Model

CHOICES: Mapping[str, type[Model]] = {"auth": Auth, "dns": Dns, "state": State, "networking": Networking}
"""The arguments of which one class is chosen, each with the base of its classes."""
NESTED: Mapping[str, type[Model]] = {
    "device_cleanup": DeviceCleanup,
    "egress_policy": EgressPolicy,
    "monitoring": Monitoring,
}
"""The arguments that are an object of one class."""
LEFT_OUT = ("kind",)
"""Arguments that other languages do not have: the kind of a workload is the name of the input that has its `spec`."""


OF_FUNCTIONS = ("expiry_days", "service_account")
"""Arguments of functions that a message or a docstring names."""


def camel_case(name: str) -> str:
    """A field's name: `cluster_cidrs` is `clusterCidrs`."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def member(kind: type[Model]) -> str:
    """A chosen class's name, as the member of the object that the argument is: `OAuthClient` is `oauthClient`."""
    return lower(kind.__name__)


def lower(name: str) -> str:
    """A kind's name as that of a property: `CronJob` is `cronJob`."""
    return re.sub(r"^[A-Z]+", lambda found: found[0].lower(), name)


def members(base: type[Model]) -> dict[str, type[Model]]:
    """The classes of a choice."""
    return {member(kind): kind for kind in base.__subclasses__()}


def properties(kind: type[Model]) -> dict[str, tuple[str, FieldInfo]]:
    """A model's fields by their names in other languages, each with its name in Python."""
    return {camel_case(name): (name, field) for name, field in kind.model_fields.items() if name not in LEFT_OUT}


def spelled(text: str) -> str:
    """A sentence about arguments in Python as one about the same in other languages."""
    text = re.sub(r"\bkind='(\w+)'", lambda found: lower(found[1]), text)
    text = _calls().sub(_member_of_call, text)
    text = _classes().sub(lambda found: _paths()[found[0]], text)
    text = _argument_alone().sub(r"\1", _assignments().sub(r"\1: ", text))
    text = _fields().sub(lambda found: camel_case(found[0]), text)
    return re.sub(r"\b(True|False)\b", lambda found: found[0].lower(), text)


def _member_of_call(found: re.Match[str]) -> str:
    """`dns=InPodSplitDns(ready_port=9004)` is `dns.inPodSplitDns.readyPort=9004`; an ellipsis says nothing."""
    path, (field, _, value) = _paths()[found[1]], found[2].partition("=")
    return path if not value else f"{path}.{camel_case(field)}" + ("" if value in ("...", "[...]") else f": {value}")


@cache
def _paths() -> dict[str, str]:
    chosen = {
        kind.__name__: f"{field}.{name}" for field, base in CHOICES.items() for name, kind in members(base).items()
    }
    return {**chosen, **{kind.__name__: camel_case(field) for field, kind in NESTED.items()}}


@cache
def _names() -> str:
    chosen = [kind for base in CHOICES.values() for kind in members(base).values()]
    kinds: list[type[Model]] = [TailscaleSidecarStatefulSetArgs, TailscaleSidecarArgs, TailscaleSidecarInjectionArgs]
    kinds += [*chosen, *NESTED.values()]
    names = {*OF_FUNCTIONS, *(name for kind in kinds for name in kind.model_fields)}
    return "|".join(sorted(names, key=len, reverse=True))


@cache
def _calls() -> re.Pattern[str]:
    return re.compile(rf"(?:\b(?:{'|'.join(CHOICES)})=)?\b({'|'.join(_paths())})\(([^()]*)\)")


@cache
def _classes() -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(_paths())})\b")


@cache
def _fields() -> re.Pattern[str]:
    return re.compile(rf"\b({_names()})\b")


@cache
def _assignments() -> re.Pattern[str]:
    """An argument with its value; not a flag's or an attribute's, such as `--flag=value` or `?ephemeral=false`."""
    return re.compile(rf"(?<![\w?&.-])({_names()})=(?=[\w'\"\[])")


@cache
def _argument_alone() -> re.Pattern[str]:
    """An argument whose value is left to the reader: `use access_token=`."""
    return re.compile(rf"(?<![\w?&.-])({_names()})=(?=\s|$)")
