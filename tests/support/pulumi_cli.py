"""Finds the Pulumi CLI and its providers, or installs them as Pulumi itself would."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.lab.settings import CACHE
from tests.lab.shell import locked

HOME = Path(os.environ.get("TAILSCALE_SIDECAR_PULUMI_HOME") or CACHE / "pulumi")
"""Folder of what is installed here, and of what Pulumi keeps for itself, so that the user's own stays as it is."""


class MissingError(Exception):
    """What is missing and how to get it, in one line."""


@dataclass(frozen=True)
class PulumiCli:
    """A Pulumi CLI that can deploy to Kubernetes."""

    program: Path

    def environment(self, outer: Mapping[str, str], *, state: Path, passphrase: str) -> dict[str, str]:
        """An environment in which a command keeps to a local state, asks nothing, and finds nothing of the user's."""
        own = {name: value for name, value in outer.items() if not name.startswith("PULUMI_")}
        return {
            **own,
            "PATH": f"{self.program.parent}:{own['PATH']}",  # the CLI finds its language hosts there
            "PULUMI_HOME": str(HOME),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": passphrase,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }


def ensure() -> PulumiCli:
    """Returns the CLI; installs what is missing, for which it must be called where the internet is.

    Raises:
        MissingError: Something is missing and cannot be installed.
    """
    with locked(CACHE / "pulumi.lock", "installs Pulumi"):
        cli = _on_path() or _installed()
        ensure_provider(cli, "kubernetes")
    return cli


def ensure_provider(cli: PulumiCli, package: str) -> None:
    """Installs the provider that a package of the SDK belongs to, unless it is there.

    Raises:
        MissingError: It is missing and cannot be installed.
    """
    if shutil.which(f"pulumi-resource-{package}"):
        return
    wanted = version(f"pulumi-{package}")
    install = [str(cli.program), "plugin", "install", "resource", package, wanted]
    try:
        subprocess.run(install, env={**os.environ, "PULUMI_HOME": str(HOME)}, check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingError(
            f"Pulumi's {package} provider {wanted} is not on PATH and its download failed ({_last_words(error)}); "
            f"get it by `PULUMI_HOME={HOME} pulumi plugin install resource {package} {wanted}`"
        ) from error


def _on_path() -> PulumiCli | None:
    found = shutil.which("pulumi")
    return PulumiCli(Path(found)) if found else None


def _installed() -> PulumiCli:
    from pulumi.automation import InvalidVersionError, PulumiCommand  # noqa: PLC0415 - takes a moment

    try:
        command = PulumiCommand.install(root=str(HOME / f"cli-{version('pulumi')}"))
    except (OSError, subprocess.SubprocessError, InvalidVersionError) as error:
        raise MissingError(
            f"the Pulumi CLI is not on PATH and its installer failed ({_last_words(error)}); "
            "get it from https://www.pulumi.com/docs/install/"
        ) from error
    return PulumiCli(Path(command.command))


def _last_words(error: Exception) -> str:
    said = b""
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or b"") + (error.stdout or b"")
    return (said.decode(errors="replace").strip() or str(error)).splitlines()[-1]
