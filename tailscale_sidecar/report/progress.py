"""What is being done, while it takes long."""

from __future__ import annotations

import sys
from typing import Self

ERASE_LINE = "\r\x1b[2K"


class Progress:
    """One line on a terminal that says what is being done, and is gone afterwards: use `with`."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._shown = self._stream.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            self._stream.write(ERASE_LINE)
            self._stream.flush()

    def step(self, text: str) -> None:
        """Says what comes next."""
        if self._shown:
            self._stream.write(f"{ERASE_LINE}… {text}")
            self._stream.flush()
