"""Amounts of CPU and memory, as Kubernetes writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

SUFFIXES = {
    "": Decimal(1),
    **{
        suffix: Decimal(10) ** power
        for suffix, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{f"{suffix}i": Decimal(1024) ** (power + 1) for power, suffix in enumerate("KMGTPE")},
}
"""What a quantity may end with (kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/)."""
QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?")


def amount(quantity: str | int | float) -> Decimal:  # noqa: PYI041 - a float is what JSON may have, and no int
    """The number that a quantity stands for, such as 0.5 for `500m`. Raises ValueError for what is none."""
    found = QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is not a quantity such as 500m or 512Mi")
    number, suffix, exponent = found.groups()
    return Decimal(number) * SUFFIXES[suffix or ""] * Decimal(10) ** int(exponent or 0)


def total(quantities: Iterable[str | int | float]) -> str:
    """The sum, in the largest unit in which it is a whole number."""
    wanted = sum(map(amount, quantities), Decimal(0))
    units = ("Gi", "Mi", "Ki", "", "m", "u", "n")
    unit = next(unit for unit in units if wanted % SUFFIXES[unit] == 0)
    return f"{wanted / SUFFIXES[unit]:f}{unit}" if wanted else "0"
