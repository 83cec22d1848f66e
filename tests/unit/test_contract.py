"""The scripts and the code have one set of names for what they share."""

from __future__ import annotations

from importlib.resources import files

import pytest

from tailscale_sidecar.pod import contract

SCRIPTS = "\n".join(
    script.read_text(encoding="utf-8") for script in files("tailscale_sidecar").joinpath("scripts").iterdir()
)


@pytest.mark.parametrize(
    "name",
    [
        contract.APP_RESOLV_CONF,
        contract.PREPARED,
        contract.QUAD100,
        contract.RESOLV_CONF,
        contract.RESOLVER,
        contract.RUN_DIR,
        contract.SIDECAR_RESOLV_CONF,
    ],
)
def test_what_the_contract_names_the_scripts_use_by_that_name(name: str) -> None:
    assert name in SCRIPTS
