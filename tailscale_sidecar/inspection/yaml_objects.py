"""Kubernetes objects of a YAML or JSON text, with the lines where they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from ..pod.objects import Json


class Located(dict[str, Any]):
    """A JSON object that knows its line."""

    line = 1


class Loader(yaml.SafeLoader):
    """Reads as kubectl does: a date is the text that is there."""


def _located(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Iterator[Located]:
    found = Located()
    found.line = node.start_mark.line + 1
    yield found
    found.update({str(key): value for key, value in loader.construct_mapping(node).items()})


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


Loader.add_constructor("tag:yaml.org,2002:map", _located)
for _tag in ("timestamp", "value"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _as_text)


class NotReadableError(ValueError):
    """The text is neither YAML nor JSON; the message says at which line, and why."""


def objects(text: str) -> Iterator[Json]:
    """The objects of all documents, and those within lists of them. What is no object is left out.

    Raises:
        NotReadableError: After the objects that come before what cannot be read.
    """
    try:
        for document in yaml.load_all(text, Loader):
            yield from flat(document)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if text.lstrip()[:1] not in ("{", "["):
            raise NotReadableError(_why(error, text)) from None
        yield from _of_json(text, error)


def _of_json(text: str, error: Exception) -> Iterator[Json]:
    """JSON that is no YAML, such as one with tabs."""
    try:
        found = json.loads(text, object_hook=Located)
    except (ValueError, RecursionError):
        raise NotReadableError(_why(error, text)) from None
    yield from flat(found)


def _why(error: Exception, text: str) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f"line {mark.line + 1}: " if mark else ""
    why = "nested too deeply" if isinstance(error, RecursionError) else problem or str(error).partition("\n")[0]
    template = "; render templates first (helm template, kustomize build)" if re.search(r"\{\{", text) else ""
    return f"{where}{why}{template}"


def flat(document: object, kind: str = "") -> Iterator[Json]:
    """The objects of a document; items of a typed list may leave their kind to it."""
    if not isinstance(document, Located):
        return
    own = document.get("kind") or kind
    items = document.get("items")
    if isinstance(own, str) and own.endswith("List") and isinstance(items, list):
        for item in items:
            if item is not document:
                yield from flat(item, own.removesuffix("List"))
    elif isinstance(own, str) and own:
        document["kind"] = own
        yield document
