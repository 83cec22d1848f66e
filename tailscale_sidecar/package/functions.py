"""The arguments of a function as a model: what a program in another language gives for them."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

from pydantic import Field, create_model

from ..pod.model import Model

NOT_GIVEN = ("name", "domain", "opts")
"""Parameters that a resource in another language has beside its inputs: its name and Pulumi's options."""


def arguments_of(function: Callable[..., Any]) -> type[Model]:
    """A model with a field for each parameter, described as in the function's docstring."""
    described = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", inspect.getdoc(function) or "", re.MULTILINE))
    hints = typing.get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (
            hints[name],
            Field(
                default=... if parameter.default is parameter.empty else parameter.default,
                description=" ".join(described[name].split()),
            ),
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", *NOT_GIVEN)
    }
    return create_model(function.__qualname__, __base__=Model, **fields)


def purpose(function: Callable[..., Any]) -> str:
    """What the docstring says before its sections."""
    return re.split(r"\n\n(?:Args|Raises):", inspect.getdoc(function) or "")[0]
