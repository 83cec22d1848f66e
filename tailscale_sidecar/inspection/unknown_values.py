"""Values that a manifest does not say: Outputs of a Pulumi program before `up`, variables from ConfigMaps and Secrets.

A look at one is an UnknownError, so that no check decides on what nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, SupportsIndex, overload

from typing_extensions import override

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What Pulumi writes for a value that is not known yet (pulumi.runtime.rpc.UNKNOWN); here so that nothing loads Pulumi."""
ANY_IMAGE = f"unknown@sha256:{'0' * 64}"
"""Stands for an image that is not known yet. A digest tells the checks nothing."""


class UnknownError(Exception):
    """Something was looked at that nobody knows."""


class Known(dict[str, Any]):
    """A JSON object, or a container's variables, of which nothing but what is known can be looked at."""

    shows_all = True
    """False where it has keys that nobody sees, such as variables from a whole ConfigMap."""

    @override
    def __getitem__(self, key: str) -> Any:
        return looked_at(super().__getitem__(key))

    def __missing__(self, key: str) -> Any:
        raise UnknownError

    @override
    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        if not found and not self.shows_all:
            raise UnknownError
        return found

    @override
    def __or__(self, other: Mapping[str, Any]) -> Known:  # type: ignore[override] # a Known stays one
        found = Known({**self, **other})
        found.shows_all = self.shows_all
        return found

    @override
    def get(self, key: str, default: Any = None, /) -> Any:
        if key not in self:
            return default
        return self[key]


class KnownList(list[Any]):
    """A JSON list: what comes before an item that is not known can be looked at."""

    @override
    def __iter__(self) -> Iterator[Any]:
        return (looked_at(item) for item in super().__iter__())

    @overload
    def __getitem__(self, key: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> list[Any]: ...
    @override
    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        return looked_at(super().__getitem__(key))


def looked_at(value: Any) -> Any:
    """The value, if it is known.

    Raises:
        UnknownError: It is not.
    """
    if isinstance(value, str) and UNKNOWN in value:
        raise UnknownError
    return value


def known(value: Any) -> Any:
    """JSON with UNKNOWN in it, made so that this cannot be looked at."""
    if isinstance(value, Mapping):
        return Known({key: known(item) for key, item in value.items()})
    if isinstance(value, list):
        return KnownList(known(item) for item in value)
    return value


def known_items(parent: Mapping[str, Any], key: str) -> Iterator[Any]:
    """Those items of a list that are known; none where the list is not, or is not there."""
    with suppress(UnknownError):
        listed = parent.get(key) or []
        for index in range(len(listed)):
            with suppress(UnknownError):
                yield listed[index]
