"""What `from tailscale_sidecar import *` takes, beside the imports of the same program by hand."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.lab.shell import step
from tests.support.subjects import Bench

from .table import Rows, beside_by_hand

RUNS = 15
AT_MOST = 1.10
# Some of these packages are lazy: only a name that is taken from a module loads it.
BY_HAND = """
import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret, Service, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding
from pydantic import BaseModel, Field
"""
COMPONENT = "from tailscale_sidecar import *"
MEASURED = """
import time
began = time.process_time()
{}
seconds = time.process_time() - began
print(seconds, open("/proc/self/statm").read().split()[1])
"""


def imports(bench: Bench) -> Rows:
    """Medians of new processes of each, in turn."""
    del bench
    seen: dict[str, list[tuple[float, float]]] = {BY_HAND: [], COMPONENT: []}
    with step("imports"):
        for statement in seen:
            measured(statement)  # compiles
        for _ in range(RUNS):
            for statement, found in seen.items():
                found.append(measured(statement))
    titles = {"import, CPU": "ms", "resident memory after the import": "MiB"}
    for index, (title, unit) in enumerate(titles.items()):
        by_hand, component = ([one[index] for one in found] for found in seen.values())
        yield beside_by_hand(title, by_hand, component, unit, AT_MOST)


def measured(statement: str) -> tuple[float, float]:
    """Milliseconds of CPU for an import, and MiB that the process has resident then."""
    compiling = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", MEASURED.format(statement)]
    done = subprocess.run(command, env=compiling, capture_output=True, text=True, check=True)
    seconds, pages = map(float, done.stdout.split())
    return 1000 * seconds, pages * os.sysconf("SC_PAGE_SIZE") / 2**20
