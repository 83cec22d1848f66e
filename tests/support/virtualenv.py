"""The tests' virtual environment as Pulumi sees it: with pip's answers at hand.

Before each command Pulumi asks pip for its version and for all packages, which takes a third of the command's CPU time.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

from tests.lab.settings import CACHE
from tests.lab.shell import locked

QUESTIONS = {"version": "-m pip --version", "packages": "-m pip list --format json"}
"""What Pulumi asks (sdk/python/toolchain/pip.go of Pulumi 3.259)."""
PYTHON = """\
#!/bin/sh
case "$*" in
    '{version}') exec cat '{folder}/version' ;;
    '{packages}') exec cat '{folder}/packages' ;;
    *) exec '{python}' "$@" ;;
esac
"""


@cache
def virtualenv() -> Path:
    """Its folder, made anew when packages were installed or removed. All but two questions to pip are Python's own."""
    installed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    key = hashlib.sha256(f"{sys.prefix} {installed}".encode()).hexdigest()[:16]
    folder = CACHE / f"virtualenv-{key}"
    python = folder / "bin" / "python"
    with locked(CACHE / "virtualenv.lock", "asks pip what is installed"):
        if not python.exists():
            python.parent.mkdir(parents=True, exist_ok=True)
            for name, question in QUESTIONS.items():
                answer = subprocess.check_output([sys.executable, *question.split()])
                (folder / name).write_bytes(answer)
            script = PYTHON.format(folder=folder, python=sys.executable, **QUESTIONS)
            made = folder / "python"
            made.write_text(script, encoding="utf-8")
            made.chmod(0o755)
            made.rename(python)
    return folder
