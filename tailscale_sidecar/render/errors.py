"""Why a program cannot be rendered. Nothing here needs Pulumi."""

from __future__ import annotations


class RenderError(Exception):
    """The program needs something that only an engine can give; the message names it."""


class ProgramError(Exception):
    """The program is wrong; its own error is the cause.

    The message has the file, the line's number and what the program's error says. It never has the line: a credential
    may be typed there.
    """
