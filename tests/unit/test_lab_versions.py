"""The lab's Go modules, each with versions of its own, take from one another what would be compiled twice."""

from __future__ import annotations

import re

from tests.lab.settings import HERE


def versions(module: str) -> dict[str, str]:
    """What a go.mod requires."""
    return dict(re.findall(r"^\t(\S+) (v\S+)", (HERE / module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_device_plugin_is_built_from_what_kubernetes_is_built_from() -> None:
    assert versions("tun-device-plugin").items() <= versions("kubernetes").items()
