"""Whether a secret is hidden in what Pulumi keeps."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tests.support.program import Program
from tests.support.stack import NAME


def assert_hidden(secret: str, text: str, where: str) -> None:
    """Fails if the secret is in the text, plain or within something in base64; without printing all of that."""
    assert text, f"{where}: nothing was looked at"
    assert not any(form in text for form in forms(secret)), f"{secret} is in {where}"


def forms(secret: str) -> Iterator[str]:
    """The secret as it is, and as it looks in base64, which depends on what stands before it."""
    core = secret.partition("?")[0]  # of an OAuth client's secret: what follows is the lab's address
    yield core
    for before in range(3):
        encoded = base64.b64encode(b"-" * before + core.encode()).decode()
        yield encoded[4 if before else 0 : -4]  # the ends depend on the neighbours


def state_files(program: Program) -> str:
    """All that Pulumi keeps: state, history, backups, and the stack's configuration."""
    files = [*program.stack.state.rglob("*"), program.stack.project / f"Pulumi.{NAME}.yaml"]
    return "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
