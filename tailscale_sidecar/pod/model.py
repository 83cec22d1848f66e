"""What all argument models share: frozen, strict, and silent about the values they were given."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import pulumi
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

T = TypeVar("T")
LIBRARIES = ("tailscale_sidecar", "pydantic")
"""Whose lines are not the user's."""


def _pass_outputs(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, pulumi.Output) else validate(value)


if TYPE_CHECKING:
    Input: TypeAlias = T | pulumi.Output[T]
    Items: TypeAlias = Sequence[T]
else:
    # pydantic cannot resolve the forward reference inside pulumi.Input. An Output's value is not known yet: it passes.
    Input = Annotated[T, WrapValidator(_pass_outputs)]
    # Users write lists; what is kept cannot be changed.
    Items = Annotated[tuple[T, ...], Field(strict=False)]


def when_known(value: Input[T], check: Callable[[T], object], field: str) -> Input[T]:
    """Checks a value now, or, where it is an Output, as soon as it is known: then the error names the field itself.

    Returns the value; an Output has to be used from there on, or nothing would ever check it.
    """
    if not isinstance(value, pulumi.Output):
        check(value)
        return value

    def checked(known: T) -> T:
        try:
            check(known)
        except ValueError as error:
            message = str(error)
            raise ValueError(message if message.startswith(field) else f"{field}: {message}") from None
        return known

    return value.apply(checked)


def warn(message: str) -> None:
    """Warns, with that line of the user's program that has called into this library."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in LIBRARIES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


class Model(BaseModel):
    """Base of the arguments. Errors never have the value: it may be a secret."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,  # of the many choices, a program uses one of each
    )

    def __init__(self, /, **given: Any) -> None:
        """Checks the arguments.

        Raises:
            ValidationError: An argument is wrong. It is made anew, because pydantic's own holds all that was given.
        """
        try:
            super().__init__(**given)
        except ValidationError as error:
            told = _told(type(self), error)
        else:
            return
        raise told

    @model_validator(mode="before")
    @classmethod
    def _check_names_and_order(cls, data: Any) -> Any:
        """Turns an unknown argument into an error that says what was probably meant, and refuses sets."""
        for name, value in data.items() if isinstance(data, Mapping) else ():
            if name not in cls.model_fields:
                near = difflib.get_close_matches(str(name), cls.model_fields, n=1)
                meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(cls.model_fields)}"
                raise ValueError(f"{cls.__name__} has no argument {name}; {meant}")
            if isinstance(value, set | frozenset):
                raise ValueError(
                    f"{name} is a set, which has another order in each run, so that pods would restart; give a list"
                )
        return data


def _told(model: type[Model], error: ValidationError) -> ValidationError:
    """The same error, without the values, and in words that say what to write."""
    lines = [
        InitErrorDetails(type=PydanticCustomError(found["type"], _message(model, found)), loc=found["loc"], input=None)
        for found in error.errors(include_url=False)
        if found["type"] != "default_factory_not_called"  # says no more than that another argument is wrong
    ]
    return ValidationError.from_exception_data(error.title, lines, hide_input=True)


def _message(model: type[Model], found: ErrorDetails) -> str:
    kind, given = found["type"], found["input"]
    if kind != "value_error" and isinstance(given, pulumi.Output):
        if kind == "dict_type":
            return "an Output as a whole cannot be checked; give a dict, with Outputs inside"
        return "an Output cannot be given here: what it will be must be known when the program runs"
    if kind != "value_error" and isinstance(given, pulumi.Resource):
        return "give the name of the resource: .metadata.name"
    if kind == "is_instance_of":
        annotation = model.model_fields[str(found["loc"][0])].annotation
        choices = annotation.__subclasses__() if isinstance(annotation, type) else ()
        names = [choice.__name__ for choice in choices] or [found["ctx"]["class"]]
        return f"give {' or '.join(f'{name}(...)' for name in names)}"
    return "must be a list" if kind == "tuple_type" else found["msg"].removeprefix("Value error, ")
