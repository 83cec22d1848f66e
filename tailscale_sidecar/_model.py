"""What all argument models share: frozen, strict, and silent about the values they were given."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import pulumi
from pydantic import BaseModel, ConfigDict, ValidatorFunctionWrapHandler, WrapValidator, model_validator

T = TypeVar("T")


def _pass_outputs(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, pulumi.Output) else validate(value)


if TYPE_CHECKING:
    Input: TypeAlias = T | pulumi.Output[T]
else:
    # pydantic cannot resolve the forward reference inside pulumi.Input. An Output's value is not known yet: it passes.
    Input = Annotated[T, WrapValidator(_pass_outputs)]


class Model(BaseModel):
    """Base of the arguments. Errors never show the value: it may be a secret."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,  # of the many choices, a program uses one of each
    )

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_field(cls, data: Any) -> Any:
        """Turns an unknown argument into an error that says what was probably meant."""
        if isinstance(data, Mapping):
            for name in data:
                if name not in cls.model_fields:
                    near = difflib.get_close_matches(str(name), cls.model_fields, n=1)
                    meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(cls.model_fields)}"
                    raise ValueError(f"{cls.__name__} has no argument {name}; {meant}")
        return data
