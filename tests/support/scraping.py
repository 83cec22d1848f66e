"""Reads a replica's metrics as a Prometheus in the cluster would: from another pod."""

from __future__ import annotations

import re

from tests.support.deployment import Deployment

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


def exposition(of: Deployment, ordinal: int = 0, *, by: int = 0, port: int = 9004) -> str:
    """What a replica answers to a scrape, with its HELP and TYPE; the app of replica `by` asks."""
    address = of.status(ordinal)["podIP"]
    return of.exec("fetch", f"http://{address}:{port}/metrics", ordinal=by)


def scraped(of: Deployment, ordinal: int = 0, *, by: int = 0) -> dict[str, float]:
    """The samples by name and labels."""
    return {name: float(value) for name, value in SAMPLE.findall(exposition(of, ordinal, by=by))}
