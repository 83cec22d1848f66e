"""Checks of a pod template by itself: they need no cluster, so that they hold for a program's objects as well."""

from __future__ import annotations

from ..registry import check_template, check_templates
from . import lifecycle, login, networking, release, settings, state  # noqa: F401 - each registers its checks; the docs list them in this order

__all__ = ["check_template", "check_templates"]
