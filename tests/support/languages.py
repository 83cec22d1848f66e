"""The programs in other languages: on the lab's image and control plane, and with hosts that run them."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.lab.images import APP_IMAGE
from tests.lab.settings import TAILNET_URL
from tests.support.pulumi_cli import LANGUAGE_HOST, PulumiCli

HERE = Path(__file__).parent
ELSEWHERE = {
    r"^( +tags(?:: .*)?),$": rf'\1, loginServer: "{TAILNET_URL}",',
    r"^(\t+Tags: .*),$": rf'\1, LoginServer: pulumi.String("{TAILNET_URL}"),',
    r"^( +)(tags: \[.*\])$": rf"\1\2\n\1loginServer: {TAILNET_URL}",
    r"^( +tags=.*),$": rf'\1, login_server="{TAILNET_URL}",',
    r'(clientSecret: config\.requireSecret\("cleanupSecret"\))': rf'\1, apiUrl: "{TAILNET_URL}"',
    r'(ClientSecret: cfg\.RequireSecret\("cleanupSecret"\))': rf'\1, ApiUrl: pulumi.String("{TAILNET_URL}")',
    r'(clientSecret: "\$\{cleanupSecret\}")': rf'\1, apiUrl: "{TAILNET_URL}"',
    r'("client_secret": config\.require_secret\("cleanupSecret"\))': rf'\1, "api_url": "{TAILNET_URL}"',
}
"""What names the lab's control plane, in each language."""


def on_the_lab(text: str) -> str:
    """A program as it is, but for the lab's image and control plane."""
    for found, instead in {"nginx:1.29": APP_IMAGE, **ELSEWHERE}.items():
        text = re.sub(found, instead, text, flags=re.MULTILINE)
    return text


def with_host(
    cli: PulumiCli, language: str, environment: Mapping[str, str], script: str, folder: Path
) -> dict[str, str]:
    """An environment in which Pulumi finds a language's host: its own, else one that a script starts."""
    name, path = f"pulumi-language-{language}", environment["PATH"]
    if shutil.which(name, path=f"{cli.program.parent}:{path}"):
        return dict(environment)
    host = folder / "hosts" / name
    host.parent.mkdir(exist_ok=True)
    host.write_text(script, encoding="utf-8")
    host.chmod(0o755)
    return {**environment, "PATH": f"{host.parent}:{path}"}


def node_host(sdk: Path) -> str:
    """The script that starts the tests' host for Node, with the packages of an SDK's folder."""
    return f"#!/bin/sh\nexec node '{HERE / 'node_host.js'}' '{sdk}' \"$@\"\n"


def go_host() -> str:
    """The script that starts the tests' host for Go."""
    return LANGUAGE_HOST.format(python=sys.executable, file=HERE / "language_host.py").replace('"$@"', '--go "$@"')


def yaml_host(program: Path) -> str:
    """The script that starts Pulumi's host for YAML, which was built."""
    return f"#!/bin/sh\nexec '{program}' \"$@\"\n"
