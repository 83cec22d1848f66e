"""What the lab needs from the machine: Debian packages, built programs, images."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import binaries, images
from .settings import BIN, CACHE
from .shell import LabError, find_command, locked, step

# A command, or any of some files, and the package that brings it. What is there already, from
# whichever package, is left as it is.
PACKAGES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("etcd",), "etcd-server"),
    (("/usr/lib/cni/bridge", "/opt/cni/bin/bridge"), "containernetworking-plugins"),
    (("iptables",), "iptables"),
    (("xtables-legacy-multi",), "iptables"),
    (("ip",), "iproute2"),
    (("nft",), "nftables"),
    (("conntrack",), "conntrack"),
    (("/var/lib/dpkg/info/busybox-static.list",), "busybox-static"),
    (("modprobe",), "kmod"),
    (("openssl",), "openssl"),
    (("gcc",), "gcc"),
    (("pkg-config",), "pkg-config"),
    (("/usr/include/seccomp.h",), "libseccomp-dev"),
    (("/usr/include/netdb.h",), "libc6-dev"),
    (("musl-gcc",), "musl-tools"),
    (("nsenter",), "util-linux"),
    (("mount",), "mount"),
)


def ensure() -> None:
    """Install, build and write whatever is missing; return at once when nothing is."""
    check_machine()
    install_packages()
    binaries.ensure_all(binaries.BUILDS)
    images.ensure()


def check_machine() -> None:
    """Fail on a machine the lab cannot run on."""
    check_root()
    binaries.go("version")


def check_root() -> None:
    """Fail unless this is root on Linux."""
    if platform.system() != "Linux":
        raise LabError("the lab runs on Linux only: it is made of network namespaces and cgroups")
    if os.geteuid() != 0:
        raise LabError("the lab takes root: run it by sudo, or in a virtual machine")


def install_packages(wanted: Sequence[tuple[tuple[str, ...], str]] = PACKAGES) -> None:
    """Install the Debian packages that are missing."""
    missing = sorted({package for traces, package in wanted if not any(map(found, traces))})
    if not missing:
        return
    if find_command("apt-get") is None:
        raise LabError(
            f"missing: {', '.join(missing)} (Debian's names); install them: without apt-get, this "
            "is neither Debian nor Ubuntu, where the lab does so itself"
        )
    with locked(CACHE / "apt.lock", "installs packages"), step(f"installing {', '.join(missing)}"):
        install = ["install", "-y", "--no-install-recommends", *missing]
        if apt_get(*install).returncode != 0:  # the lists may be old, or not there yet
            apt_get("update")
            if (done := apt_get(*install)).returncode != 0:
                raise LabError(f"apt-get cannot install {missing}:\n{done.stderr.strip()}")


def apt_get(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run apt-get without questions."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(["apt-get", "-qq", *arguments], env=env, capture_output=True, text=True, check=False)


def found(trace: str) -> bool:
    """Whether a command or file is there."""
    return Path(trace).exists() if trace.startswith("/") else find_command(trace) is not None


def link_programs() -> None:
    """Gather the built programs in the lab's own folder."""
    BIN.mkdir(parents=True, exist_ok=True)
    for build in binaries.BUILDS:
        for program in build.bin.iterdir():
            link = BIN / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)


def is_current() -> bool:
    """Whether the running lab was started from the programs that would be built today."""
    return all(
        (BIN / program.name).resolve() == program.resolve()
        for build in binaries.BUILDS
        for program in build.bin.iterdir()
    )
