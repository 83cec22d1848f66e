"""From what a program in another language gives to the arguments of the component."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import pulumi
from pulumi.output import Unknown
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ..pod.model import Model
from ..pod.objects import Json, whole_number
from .spelling import CHOICES, NESTED, members, properties, spelled

M = TypeVar("M", bound=Model)


class InputError(ValueError):
    """An input is wrong. The message has each one's name as the caller spells it, and no value."""

    def __init__(self, message: str, *, is_only_unknown: bool = False) -> None:
        super().__init__(message)
        self.is_only_unknown = is_only_unknown
        """Whether nothing is wrong but that an input is not known yet, in a preview."""


async def settled(value: Any) -> Any:
    """The value with Outputs in its leaves alone: those that are secret, or depend on a resource, or are not known yet.

    A program in another language gives an Output for whatever holds one; here only what it holds has to be one.
    """
    if isinstance(value, Unknown):
        return pulumi.Output.from_input(cast("Any", value))
    if isinstance(value, pulumi.Output):
        known = await value.future(with_unknowns=True)
        if not isinstance(known, dict | list | pulumi.Output):
            return await _leaf(value)
        return await settled(_inside(value, known))
    if isinstance(value, dict):
        return {key: await settled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [await settled(item) for item in value]
    return whole_number(value)


async def _leaf(value: pulumi.Output[Any]) -> Any:
    """An Output, unless a plain value says as much."""
    if await value.is_secret() or await value.resources() or not await value.is_known():
        return value.apply(whole_number)
    return whole_number(await value.future())


def _inside(value: pulumi.Output[Any], known: Any) -> Any:
    """An Output of a list or dict as a list or dict of Outputs."""

    def item(key: Any) -> pulumi.Output[Any]:
        return value.apply(lambda whole: whole[key], run_with_unknowns=True)

    if isinstance(known, dict):
        return {key: item(key) for key in known}
    return [item(index) for index in range(len(known))]


async def arguments(kind: type[M], given: Json, /, **beside: Any) -> M:
    """A component's arguments, of values that are `settled`, and of what is no input.

    Raises:
        InputError: An input is wrong, or must be known and is not.
    """
    return await _model(kind, given, "", beside)


async def _model(kind: type[M], given: Json, path: str, beside: Json | None = None) -> M:
    fields = properties(kind)
    found: Json = dict(beside or {})
    for key, value in given.items():
        where = f"{path}.{key}".lstrip(".")
        if key not in fields:
            raise InputError(f"{where} is no property{_meant(key, fields)}")
        name, field = fields[key]
        if value is None:
            continue
        if name in CHOICES:
            found[name] = await _choice(CHOICES[name], value, where)
        elif name in NESTED:
            found[name] = await _nested(NESTED[name], value, where)
        else:
            found[name] = value if _takes_outputs(field) else await plain(value)
    return _made(kind, found, path)


def _made(kind: type[M], given: Json, path: str) -> M:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        try:
            made = kind(**given)
        except ValidationError as error:
            raise _told(error, path) from None
    for one in said:
        pulumi.log.warn(spelled(str(one.message)))
    return made


async def _choice(base: type[Model], given: Any, path: str) -> Model:
    """The class of which an object has the arguments, as the one member that is given."""
    kinds = members(base)
    await _known(given, path)
    if not isinstance(given, Mapping):
        raise InputError(f"{path} must be an object with one member: {_or(kinds)}")
    for name, value in given.items():
        if name not in kinds and value is not None:
            raise InputError(f"{path}.{name} is no property{_meant(name, kinds)}")
    name, arguments_of_it = await one_of(given, kinds, path)
    return await _model(kinds[name], arguments_of_it, f"{path}.{name}")


async def one_of(given: Mapping[str, Any], known: Iterable[str], path: str = "") -> tuple[str, Json]:
    """The one member that is given, an object, and its name.

    Raises:
        InputError: There is none, or a second one, or it is no object.
    """
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        said = f"{' and '.join(chosen)} are given" if chosen else "none is given"
        if path:
            said = f"{path} has {' and '.join(chosen)}" if chosen else f"{path} is empty"
        raise InputError(f"{said}: give exactly one of {_or(known)}")
    (name,) = chosen
    return name, await _object(given[name], f"{path}.{name}".lstrip("."))


async def _nested(kind: type[M], given: Any, path: str) -> M:
    return await _model(kind, await _object(given, path), path)


async def _object(given: Any, path: str) -> Json:
    await _known(given, path)
    if not isinstance(given, Mapping):
        raise InputError(f"{path} must be an object, such as {{}}")
    return dict(given)


async def _known(given: Any, path: str) -> None:
    if isinstance(given, pulumi.Output) and not await given.is_known():
        raise InputError(f"{path} is not known yet", is_only_unknown=True)


async def plain(value: Any) -> Any:
    """What must be known when the program runs: where it is not, the model says so."""
    if isinstance(value, pulumi.Output):
        return await value.future() if await value.is_known() else value
    if isinstance(value, dict):
        return {key: await plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [await plain(item) for item in value]
    return value


def _takes_outputs(field: FieldInfo) -> bool:
    """Whether a field, or what it holds, may be an Output: pydantic is told so of each type, and asks nothing of Any."""
    return field.annotation is Any or "_pass_outputs" in repr(field) or "typing.Any" in repr(field.annotation)


def _told(error: ValidationError, path: str) -> InputError:
    lines, unknown = [], True
    for found in error.errors(include_url=False):
        field = ".".join(spelled(str(part)) for part in (path, *found["loc"]) if part != "")
        message = spelled(found["msg"])
        parent, _, name = field.rpartition(".")
        lines.append(f"{parent}.{message}".lstrip(".") if message.startswith(name) else f"{field}: {message}")
        unknown = unknown and "Output" in message
    return InputError("\n".join(lines), is_only_unknown=unknown)


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)
