"""Which defects are planted on a real cluster and tailnet, and why the others are on a stand-in alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tailscale_sidecar.checks import catalogue
from tailscale_sidecar.report.findings import Defect
from tests.support.examples import ROOT
from tests.support.planted import PLANTED_IN_TEMPLATE

NO_LOCK = "the lab's control plane plays no tailnet lock"
NEWER = "the lab's node is newer"
ONLY_ON_THE_STAND_IN = {
    "doctor": {
        "runtime-without-user-namespaces": "the lab's runtime can give them",
        "locked-out": NO_LOCK,
        "no-nameserver": "takes a node whose own resolv.conf names no nameserver",
        "state-sealed-to-node": "takes a TPM, and a release of Tailscale that the lab does not have",
    },
    "preflight": {
        "kubernetes-too-old-for-injection": "takes an API server of Kubernetes 1.35",
        "kubernetes-too-old-for-guarded": "takes an API server of Kubernetes 1.29",
        "kernel-too-old-for-user-namespaces": NEWER,
        "kubernetes-too-old-for-user-namespaces": NEWER,
        "runtime-too-old-for-user-namespaces": NEWER,
        "tailnet-lock": NO_LOCK,
        "user-namespace-dropped": "the lab's API server keeps the field",
    },
}
IN_TEMPLATE = {name for name, _, _ in PLANTED_IN_TEMPLATE}
"""Those that a test on the lab takes from the unit tests."""


def planted(command: str, defects: Iterable[Defect]) -> set[str]:
    """Those that tests on the lab name."""
    files = [*ROOT.glob(f"tests/cluster/test_{command}*.py"), *ROOT.glob("tests/faults/node/test_*.py")]
    sources = "".join(file.read_text(encoding="utf-8") for file in files)
    named = {defect.name for defect in defects if f'"{defect.name}"' in sources}
    return named | IN_TEMPLATE if "PLANTED_IN_TEMPLATE" in sources else named


@pytest.mark.parametrize(
    ("command", "defects"),
    [("doctor", catalogue.doctor()), ("preflight", catalogue.preflight())],
    ids=["doctor", "preflight"],
)
def test_each_defect_is_planted_on_the_lab_or_it_is_said_why_not(command: str, defects: list[Defect]) -> None:
    missing = {defect.name for defect in defects} - planted(command, defects)
    assert missing == set(ONLY_ON_THE_STAND_IN[command])
