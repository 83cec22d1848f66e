"""The command line: what its commands share, they take and refuse alike."""

from __future__ import annotations

import pytest

from tailscale_sidecar.__main__ import main
from tailscale_sidecar.report.findings import ExitStatus


@pytest.mark.parametrize("command", ["doctor", "adopt"])
def test_a_namespace_that_contradicts_the_reference_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "other/my-app", "--namespace=db"]) == ExitStatus.BLIND
    assert capsys.readouterr().err == f"tailscale-sidecar {command}: other/my-app is not in namespace db\n"


@pytest.mark.parametrize("command", ["doctor", "preflight", "adopt"])
@pytest.mark.parametrize(
    ("cidr", "error"),
    [("10.0.0.0/33", "'10.0.0.0/33' is not a CIDR"), ("10.0.0.1/8", "'10.0.0.1/8' must be written 10.0.0.0/8")],
)
def test_a_cluster_cidr_that_is_none_is_refused_before_anything_is_asked(
    command: str, cidr: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, f"--cluster-cidr={cidr}"])
    assert ended.value.code == ExitStatus.BLIND
    assert f"argument --cluster-cidr: {error}" in capsys.readouterr().err
