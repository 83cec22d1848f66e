"""A program's own errors, told without its source."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from ..report.findings import redacted
from .errors import ProgramError, RenderError

LIBRARIES = (*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")), str(Path(__file__).parents[1]))
"""Folders whose files are not the program's; whatever pip installs is not either."""
INSTALLED = ("site-packages", "dist-packages")
CALLBACK = re.compile(r"Invoke callback \S+ error: (?P<message>.*?):\n(?P<frames> +File .*)", re.DOTALL)
"""How the SDK tells that a transform has failed (pulumi/runtime/_callbacks.py)."""
PROCESSED = re.compile(r"While processing (?:resource: '(?P<resource>[^']*)'|input: )")
"""How the SDK begins what it says of an error in a resource's inputs, in one line for each thing that it was in."""
FRAME = re.compile(r'^  File "(.+)", line (\d+), in ', re.MULTILINE)


@contextmanager
def program_errors(program: str) -> Iterator[None]:
    """Around the run of a program: what it raises becomes a ProgramError.

    Raises:
        ProgramError: The program is wrong. Where no line of it is to blame, its file is named: `program`.
    """
    try:
        yield
    except (RenderError, ProgramError):
        raise
    except Exception as error:
        raise ProgramError(told(error, program)) from error


def told(error: Exception, program: str) -> str:
    """Where the error comes from, and what it says."""
    of_callback = CALLBACK.search(str(error))
    if of_callback:
        frames = FRAME.findall(of_callback["frames"])
        return f"{place(frames, program)}: {redacted(of_callback['message'])}"
    if isinstance(error, SyntaxError):
        return f"{place([(error.filename, error.lineno)], program)}: {type(error).__name__}: {error.msg}"
    resource, cause = of_inputs(error)
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(cause.__traceback__)]
    of = f"resource {resource}: " if resource else ""
    return f"{place(frames, program)}: {of}{redacted(message(cause))}"


def of_inputs(error: BaseException) -> tuple[str, BaseException]:
    """The resource with an input that has raised an error, and that error; without one, nothing and the error itself."""
    resource = ""
    while (cause := origin(error)) is not None and (found := PROCESSED.match(str(error))):
        resource, error = found["resource"] or resource, cause
    return resource, error


def origin(error: BaseException) -> BaseException | None:
    """What an error comes from. The SDK raises some from themselves (pulumi/runtime/stack.py, wait_for_rpcs)."""
    return error.__context__ if error.__cause__ is error else error.__cause__


def place(frames: Iterable[tuple[str | None, object]], program: str) -> str:
    """The last line of the program's own that was running, as `file:line`."""
    own = [f"{shown(file)}:{line}" for file, line in frames if file and is_programs(file)]
    return own[-1] if own else shown(program)


def is_programs(file: str) -> bool:
    """Whether a file is the program's, and neither a library's nor Python's own."""
    path = Path(file)
    is_installed = any(folder in path.parts for folder in INSTALLED)
    return not (file.startswith("<") or is_installed or any(path.is_relative_to(folder) for folder in LIBRARIES))


def shown(file: str) -> str:
    """A path, from the current folder if it lies there."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def message(error: BaseException) -> str:
    """What an error says; that of arguments names each of them, and shows no value."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    return "\n".join(
        f"{'.'.join(map(str, (error.title, *found['loc'])))}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors(include_url=False, include_input=False)
    )
