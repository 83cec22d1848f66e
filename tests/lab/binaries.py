"""The lab's Go programs: built once, kept in a cache under a key of all that goes into them."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .settings import CACHE, COREDNS_VERSION, HERE, KUBERNETES_VERSION, TAILSCALE_VERSION
from .shell import LabError, find_command, locked, run, step

MODULE_ONLY = ("go.mod", "go.sum")
WITH_SOURCES = ("go.mod", "go.sum", "**/*.go")


@dataclass(frozen=True)
class Build:
    """Some programs of one Go module, and the files of that module they depend on."""

    name: str
    module: str
    packages: tuple[str, ...]
    keyed_by: tuple[str, ...]
    stamps: tuple[str, ...] = ()
    tags: str = ""

    @property
    def folder(self) -> Path:
        """The folder of the module."""
        return HERE / self.module

    @property
    def cached(self) -> Path:
        """Where the cache has this build, or will."""
        return CACHE / f"{self.name}-{self.key()}"

    @property
    def bin(self) -> Path:
        """The folder of the built programs."""
        return self.cached / "bin"

    def key(self) -> str:
        """Name everything the programs depend on; a test of the module is not part of it."""
        digest = hashlib.sha256()
        for word in (go("env", "GOVERSION").strip(), platform.machine(), *self.go_flags()):
            digest.update(word.encode() + b"\0")
        for pattern in self.keyed_by:
            for file in sorted(self.folder.glob(pattern)):
                if not file.name.endswith("_test.go"):
                    digest.update(file.relative_to(self.folder).as_posix().encode() + b"\0")
                    digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def go_flags(self) -> tuple[str, ...]:
        """The flags of `go build`; the released programs carry such stamps too."""
        stamps = "".join(f" -X {stamp}" for stamp in self.stamps)
        return ("-trimpath", f"-tags={self.tags}", f"-ldflags=-s -w{stamps}", *self.packages)


KUBERNETES = Build(
    name="kubernetes",
    module="kubernetes",
    packages=tuple(
        f"k8s.io/kubernetes/cmd/{command}"
        for command in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "kubelet",
            "kubectl",
        )
    ),
    keyed_by=MODULE_ONLY,
    stamps=(
        f"k8s.io/component-base/version.gitVersion=v{KUBERNETES_VERSION}",
        "k8s.io/component-base/version.gitMajor=1",
        f"k8s.io/component-base/version.gitMinor={KUBERNETES_VERSION.split('.')[1]}",
        "k8s.io/component-base/version.gitTreeState=clean",
    ),
)
COREDNS = Build(
    name="coredns",
    module="coredns",
    packages=("github.com/coredns/coredns",),
    keyed_by=MODULE_ONLY,
    stamps=(f"github.com/coredns/coredns/coremain.GitCommit=v{COREDNS_VERSION}",),
)
TAILSCALE = Build(
    name="tailscale",
    module="tailnet",
    packages=tuple(f"tailscale.com/cmd/{command}" for command in ("tailscale", "tailscaled", "containerboot")),
    keyed_by=MODULE_ONLY,
    stamps=(
        f"tailscale.com/version.longStamp={TAILSCALE_VERSION}",
        f"tailscale.com/version.shortStamp={TAILSCALE_VERSION}",
    ),
    tags="ts_kube,ts_package_container",  # as the released image is built
)
TAILNET = Build(name="tailnet", module="tailnet", packages=(".",), keyed_by=WITH_SOURCES)
APP_TOOLS = Build(name="app-tools", module="images/go", packages=("./resolve-go", "./fetch"), keyed_by=WITH_SOURCES)
TUN_DEVICE_PLUGIN = Build(name="tun-device-plugin", module="tun-device-plugin", packages=(".",), keyed_by=WITH_SOURCES)
BUILDS = (KUBERNETES, COREDNS, TAILSCALE, TAILNET, APP_TOOLS, TUN_DEVICE_PLUGIN)

# What only the benchmarks use, so that nobody else waits for it.
KWOK = Build(name="kwok", module="kwok", packages=("sigs.k8s.io/kwok/cmd/kwok",), keyed_by=MODULE_ONLY)
HELM = Build(name="helm", module="helm", packages=("helm.sh/helm/v4/cmd/helm",), keyed_by=MODULE_ONLY)
REPLICAS = Build(name="replicas", module="tailnet", packages=("./replicas",), keyed_by=WITH_SOURCES)


def go(*arguments: str, cwd: Path = HERE) -> str:
    """Run Go, away from whatever workspace, flags and C compiler the user has set for it."""
    command = find_command("go")
    if command is None:
        raise LabError("Go is missing: install it (https://go.dev/dl/) and put it on PATH")
    own = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    return run([command, *arguments], cwd=cwd, env={**os.environ, **own})


def ensure(build: Build) -> Path:
    """Build the programs unless the cache has them; return the folder they are in."""
    if build.cached.exists():
        return build.bin
    with locked(CACHE / "build.lock", "builds"):
        if not build.cached.exists():
            with step(f"building {build.name}"):
                compile_into_cache(build)
    return build.bin


def compile_into_cache(build: Build) -> None:
    """Build aside and rename, so that the cache never holds half a build."""
    for interrupted in CACHE.glob(".building-*"):  # nobody else builds: the lock is ours
        shutil.rmtree(interrupted, ignore_errors=True)  # its compiler may still write
    aside = Path(tempfile.mkdtemp(dir=CACHE, prefix=".building-"))
    go("build", "-o", f"{aside}/bin/", *build.go_flags(), cwd=build.folder)
    aside.chmod(0o755)
    aside.rename(build.cached)
