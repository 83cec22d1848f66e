"""What `render` prints, as a real API server sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailscale_sidecar.render.render import render
from tests.lab import LabError
from tests.support.deployment import Workspace
from tests.support.examples import CONFIG, EXAMPLES, NEEDS_PULUMI, expected_warnings


def dry_run(workspace: Workspace, example: str, *, show_secrets: bool) -> str:
    with expected_warnings():
        objects = render(EXAMPLES[example], namespace=workspace.namespace, config=CONFIG, show_secrets=show_secrets)
    return workspace.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"), stdin=objects
    )


WORKLOADS = ("daemonset.apps/", "deployment.apps/", "job.batch/", "statefulset.apps/")


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example not in NEEDS_PULUMI])
def test_kubernetes_takes_every_example(workspace: Workspace, example: str) -> None:
    taken = dry_run(workspace, example, show_secrets=True)
    assert any(workload in taken for workload in WORKLOADS)


@pytest.mark.parametrize("example", ["auth_key", "quickstart", "workload_identity_projected"])
def test_kubernetes_refuses_a_secret_that_was_redacted(workspace: Workspace, example: str) -> None:
    with pytest.raises(LabError, match="Secret"):
        dry_run(workspace, example, show_secrets=False)


@pytest.mark.parametrize("example", NEEDS_PULUMI)
def test_kubernetes_refuses_a_credential_that_only_pulumi_can_make(workspace: Workspace, example: str) -> None:
    with pytest.raises(LabError, match="Secret"):
        dry_run(workspace, example, show_secrets=True)


def test_kubernetes_takes_a_redacted_program_that_has_no_secret(workspace: Workspace) -> None:
    assert "statefulset.apps/" in dry_run(workspace, "existing_secret", show_secrets=False)


def test_kubernetes_refuses_a_redacted_value_outside_of_secrets_too(workspace: Workspace, tmp_path: Path) -> None:
    program = tmp_path / "infra.py"
    text = (EXAMPLES["existing_secret"] / "__main__.py").read_text(encoding="utf-8")
    assert "replicas=2," in text
    program.write_text(text.replace("replicas=2,", 'replicas=2, env={"A": Output.secret("x")},'), encoding="utf-8")
    program.write_text(f"from pulumi import Output\n{program.read_text(encoding='utf-8')}", encoding="utf-8")
    for show_secrets in (True, False):
        objects = render(program, namespace=workspace.namespace, show_secrets=show_secrets)
        apply = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-")
        if show_secrets:
            assert "statefulset.apps/" in workspace.kubectl(*apply, stdin=objects)
        else:
            with pytest.raises(LabError, match="StatefulSet"):
                workspace.kubectl(*apply, stdin=objects)
