"""What `render` prints, as a real API server sees it."""

from __future__ import annotations

import pytest

from tailscale_sidecar.render import render
from tests.examples import CONFIG, EXAMPLES, expected_warnings
from tests.lab import LabError

from .deployment import Workspace


def dry_run(workspace: Workspace, example: str, *, show_secrets: bool) -> str:
    with expected_warnings():
        objects = render(EXAMPLES[example], namespace=workspace.namespace, config=CONFIG, show_secrets=show_secrets)
    return workspace.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"), stdin=objects
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_kubernetes_takes_every_example(workspace: Workspace, example: str) -> None:
    assert "statefulset.apps/" in dry_run(workspace, example, show_secrets=True)


@pytest.mark.parametrize("example", ["auth_key", "quickstart", "workload_identity_projected"])
def test_kubernetes_refuses_a_secret_that_was_redacted(workspace: Workspace, example: str) -> None:
    with pytest.raises(LabError, match="Secret"):
        dry_run(workspace, example, show_secrets=False)


def test_kubernetes_takes_a_redacted_program_that_has_no_secret(workspace: Workspace) -> None:
    assert "statefulset.apps/" in dry_run(workspace, "existing_secret", show_secrets=False)
