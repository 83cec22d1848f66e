"""Credentials that a program makes on the tailnet, as resources of the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pulumi

from ..choices.auth import Auth, AuthKey, OAuthClient, WorkloadIdentity
from ..pod.model import Model
from ..pod.objects import Json
from .functions import arguments_of
from .spelling import camel_case


@dataclass(frozen=True)
class Creation:
    """How a credential is made."""

    kind: type[Auth]
    create: Callable[..., Any]
    outputs: tuple[str, ...]
    """The arguments of `kind` that it gives."""

    @cached_property
    def inputs(self) -> type[Model]:
        """What it is made from."""
        return arguments_of(self.create)


CREATED: Mapping[str, Creation] = {
    "CreatedAuthKey": Creation(AuthKey, AuthKey.create, ("auth_key",)),
    "CreatedOAuthClient": Creation(OAuthClient, OAuthClient.create, ("client_id", "client_secret")),
    "CreatedWorkloadIdentity": Creation(WorkloadIdentity, WorkloadIdentity.create, ("client_id", "audience")),
}
"""The resources. Their outputs are inputs of `auth`: one by one, so that a preview knows all but their values."""


class Created(pulumi.ComponentResource):
    """A credential on the tailnet."""

    def __init__(
        self, kind: str, creation: Creation, name: str, args: Model, opts: pulumi.ResourceOptions | None
    ) -> None:
        super().__init__(kind, name, {}, opts)
        given = {field: getattr(args, field) for field in type(args).model_fields}
        made = creation.create(name, **given, opts=pulumi.ResourceOptions(parent=self))
        self._outputs = {
            camel_case(field): getattr(made, field)
            if creation.kind.model_fields[field].repr
            else pulumi.Output.secret(getattr(made, field))
            for field in creation.outputs
        }
        self.register_outputs(self._outputs)

    def outputs(self) -> Json:
        """The credential."""
        return self._outputs
