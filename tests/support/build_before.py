"""The component as an earlier build made it, beside today's: from a checkout of its package, in a process of its own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from typing_extensions import override

from tailscale_sidecar.pod.contract import TAILSCALE_IMAGE
from tests.lab.shell import run
from tests.support.deployment import Deployment

ROOT = Path(__file__).parents[2]
BEFORE = "11c66b6"
"""The last build with an init container, whose every command loaded Pulumi."""
EARLIER_BUILDS = (BEFORE,)
"""What somebody may have deployed; each has a folder beside the golden files. A release adds its own."""
PROGRAM = """\
import json, sys
import tailscale_sidecar
from tailscale_sidecar.render import plain, record

given = json.load(sys.stdin)
arguments = given["arguments"]
for name, (kind, values) in given["choices"].items():
    arguments[name] = getattr(tailscale_sidecar, kind)(**values)
args = tailscale_sidecar.TailscaleSidecarStatefulSetArgs(**arguments)
found = record(lambda: tailscale_sidecar.TailscaleSidecarStatefulSet(given["name"], args), namespace=given["namespace"])
json.dump([plain(item, show_secrets=True) for item in found], sys.stdout)
"""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "auth": ("client_id", "client_secret"),
    "dns": (),
    "networking": (),
    "state": ("max_replicas",),
}
"""The arguments that are objects, and what of them is handed on; the rest of each is its default."""


class BuildBefore(Deployment):
    """The same arguments, given to the build before; with today's image of Tailscale, so that only the pod differs."""

    checkout: ClassVar[Path]
    """Its package, see `checked_out`."""

    @override
    def _render(self) -> list[dict[str, Any]]:
        choices = {
            name: (type(choice).__name__, {field: getattr(choice, field) for field in CHOICES[name]})
            for name, choice in self.arguments.items()
            if name in CHOICES
        }
        plain = {name: value for name, value in self.arguments.items() if name not in CHOICES}
        given = {
            "name": self.name,
            "namespace": self.workspace.namespace,
            "choices": choices,
            "arguments": {"image": TAILSCALE_IMAGE, **plain},
        }
        made = run([sys.executable, "-W", "ignore", "-c", PROGRAM], stdin=json.dumps(given), cwd=self.checkout)
        found: list[dict[str, Any]] = json.loads(made)
        return found


def is_there(commit: str) -> bool:
    """Whether this clone's history has a build."""
    return (
        subprocess.run(
            ["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, stderr=subprocess.DEVNULL, check=False
        ).returncode
        == 0
    )


@contextmanager
def checked_out(commit: str = BEFORE) -> Iterator[Path]:
    """The package as it was, in a folder of its own."""
    packed = subprocess.run(["git", "archive", commit, "tailscale_sidecar"], cwd=ROOT, check=True, capture_output=True)
    with TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
        BuildBefore.checkout = Path(folder)
        yield Path(folder)
