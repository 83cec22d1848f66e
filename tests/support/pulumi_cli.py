"""Finds the Pulumi CLI and its providers, installs them as Pulumi itself would, or builds them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.lab import binaries
from tests.lab.settings import CACHE
from tests.lab.shell import locked, say

HOME = Path(os.environ.get("TAILSCALE_SIDECAR_PULUMI_HOME") or CACHE / "pulumi")
"""Folder of what is installed here, and of what Pulumi keeps for itself, so that the user's own stays as it is."""


LANGUAGE_HOST = """\
#!/bin/sh
exec '{python}' '{file}' "$@"
"""
DYNAMIC_PROVIDERS = """\
#!/bin/sh
exec '{python}' -u -m pulumi.dynamic "$@"
"""
BUILT = {binaries.PULUMI: "pulumi", binaries.PULUMI_KUBERNETES: "pulumi-resource-kubernetes"}


class MissingError(Exception):
    """What is missing and how to get it, in one line."""


@dataclass(frozen=True)
class PulumiCli:
    """A Pulumi CLI that can deploy to Kubernetes."""

    program: Path
    is_released: bool = True
    """Whether it and its provider are Pulumi's own; else the provider is the newest that builds from its Go module."""

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
    """Returns the CLI; installs or builds what is missing, for which it must be called where the internet is.

    Raises:
        LabError: It can neither be installed nor built.
    """
    if binaries.PULUMI.cached.exists() and _on_path() is None:
        return _built()  # where its installer failed once, it is not tried again
    try:
        return find()
    except MissingError as error:
        say(f"! {error}; it is built instead")
        return _built()


def find() -> PulumiCli:
    """Returns the CLI as Pulumi released it; installs what is missing.

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
    if shutil.which(f"pulumi-resource-{package}", path=f"{cli.program.parent}:{os.environ['PATH']}"):
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


def _built() -> PulumiCli:
    """The CLI and its provider for Kubernetes from their Go modules, and the host of the language from the SDK."""
    programs = [binaries.ensure(build) / name for build, name in BUILT.items()]
    host = LANGUAGE_HOST.format(python=sys.executable, file=Path(__file__).with_name("language_host.py"))
    scripts = {
        "pulumi-language-python": host,
        "pulumi-resource-pulumi-python": DYNAMIC_PROVIDERS.format(python=sys.executable),
    }
    key = hashlib.sha256(f"{programs}{scripts}".encode()).hexdigest()[:16]
    folder = HOME / f"built-{key}"
    with locked(CACHE / "pulumi.lock", "installs Pulumi"):
        if not folder.exists():
            HOME.mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(dir=HOME))
            for program in programs:
                (aside / program.name).symlink_to(program)
            for name, text in scripts.items():
                (aside / name).write_text(text, encoding="utf-8")
                (aside / name).chmod(0o755)
            aside.rename(folder)
    return PulumiCli(folder / "pulumi", is_released=False)


def _last_words(error: Exception) -> str:
    said = b""
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or b"") + (error.stdout or b"")
    return (said.decode(errors="replace").strip() or str(error)).splitlines()[-1]
