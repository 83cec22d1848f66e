"""The names of arguments as other languages spell them: `clusterCidrs` for `cluster_cidrs`, `dns.clusterDns` for `ClusterDns()`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pydantic.fields import FieldInfo

from ..choices.auth import Auth
from ..choices.dns import Dns
from ..choices.networking import Networking
from ..choices.state import State
from ..component.stateful_set_args import TailscaleSidecarStatefulSetArgs
from ..pod.model import Model

CHOICES: Mapping[str, type[Model]] = {"auth": Auth, "dns": Dns, "state": State, "networking": Networking}
"""The arguments of which one class is chosen, each with the base of its classes."""
LEFT_OUT = ("device_cleanup",)
"""Arguments that other languages do not have: what removes devices runs in the Python of the program itself."""


def camel_case(name: str) -> str:
    """A field's name: `cluster_cidrs` is `clusterCidrs`."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def member(kind: type[Model]) -> str:
    """A chosen class's name, as the member of the object that the argument is: `OAuthClient` is `oauthClient`."""
    return re.sub(r"^[A-Z]+", lambda found: found[0].lower(), kind.__name__)


def members(base: type[Model]) -> dict[str, type[Model]]:
    """The classes of a choice."""
    return {member(kind): kind for kind in base.__subclasses__()}


def properties(kind: type[Model]) -> dict[str, tuple[str, FieldInfo]]:
    """A model's fields by their names in other languages, each with its name in Python."""
    return {camel_case(name): (name, field) for name, field in kind.model_fields.items() if name not in LEFT_OUT}


def spelled(text: str) -> str:
    """A sentence about arguments in Python as one about the same in other languages."""
    text = _calls().sub(_member_of_call, text)
    text = _classes().sub(lambda found: _paths()[found[0]], text)
    text = _assignments().sub(r"\1: ", text)
    text = _fields().sub(lambda found: camel_case(found[0]), text)
    return re.sub(r"\b(True|False)\b", lambda found: found[0].lower(), text)


def _member_of_call(found: re.Match[str]) -> str:
    """`dns=InPodSplitDns(ready_port=9004)` is `dns.inPodSplitDns.readyPort=9004`; an ellipsis says nothing."""
    path, (field, _, value) = _paths()[found[1]], found[2].partition("=")
    return path if not value else f"{path}.{camel_case(field)}" + ("" if value in ("...", "[...]") else f": {value}")


@cache
def _paths() -> dict[str, str]:
    return {kind.__name__: f"{field}.{name}" for field, base in CHOICES.items() for name, kind in members(base).items()}


@cache
def _names() -> str:
    kinds = [kind for base in CHOICES.values() for kind in members(base).values()]
    names = {*TailscaleSidecarStatefulSetArgs.model_fields, *(name for kind in kinds for name in kind.model_fields)}
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
