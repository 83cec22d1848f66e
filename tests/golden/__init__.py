"""What each example's pods are made of, as somebody last decided.

A StatefulSet restarts its pods when their template changes. Whoever upgrades this library must not have their database
restarted without being told, so each example's workload is kept here, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tailscale_sidecar.render.render import to_yaml
from tests.support.examples import EXAMPLES, rendered, workload

FOLDER = Path(__file__).resolve().parent
FIRST = ("apiVersion", "kind", "metadata", "name")
"""Keys that a reader looks for first; the others follow by name. Kubernetes does not mind their order."""


def file(example: str) -> Path:
    """Where an example's workload is kept."""
    return FOLDER / f"{example}.yaml"


def current(example: str) -> str:
    """An example's workload as the code makes it now."""
    return to_yaml([_ordered(workload(rendered(EXAMPLES[example])))], show_secrets=False)


def accept() -> list[str]:
    """Writes all files anew and removes those without example; returns what changed."""
    old = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")}
    new = {example: current(example) for example in EXAMPLES}
    for example in old.keys() - new.keys():
        file(example).unlink()
    for example, text in new.items():
        file(example).write_text(text, encoding="utf-8")
    return sorted(example for example in old.keys() | new.keys() if old.get(example) != new.get(example))


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: (FIRST.index(key) if key in FIRST else len(FIRST), key))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value
