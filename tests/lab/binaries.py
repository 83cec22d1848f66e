"""The lab's Go programs: built once, kept in a cache under a key of all that goes into them."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .settings import (
    CACHE,
    CONTAINERD_VERSION,
    COREDNS_VERSION,
    GO_VERSION,
    HERE,
    KUBERNETES_VERSION,
    NEWEST_KUBERNETES,
    NEWEST_TAILSCALE,
    TAILSCALE_VERSION,
)
from .shell import LabError, find_command, locked, run, say, step

MODULE_ONLY = ("go.mod", "go.sum")
WITH_SOURCES = ("go.mod", "go.sum", "**/*.go")
SECONDS_OF_SILENCE = 20


@dataclass(frozen=True)
class Change:
    """What is changed in a copy of a dependency, which does not build as it is from what the registry has."""

    module: str
    file: str
    source: str = ""
    """The file that it is made from; itself where there is none."""
    without: str = ""
    """What is left out, wherever it is: a regular expression."""
    instead: str = ""
    """What comes in its place."""

    def apply(self, module: Path) -> None:
        """Change the copy."""
        source = module / (self.source or self.file)
        text = source.read_text(encoding="utf-8")
        if self.without:
            text, found = re.subn(self.without, self.instead, text)
            if not found:
                raise LabError(
                    f"{self.module} no longer has {self.without!r} in {source.name}: it can be built as it is"
                )
        (module / self.file).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Build:
    """Some programs of one Go module, and the files of that module they depend on."""

    name: str
    module: str
    packages: tuple[str, ...]
    keyed_by: tuple[str, ...]
    stamps: tuple[str, ...] = ()
    tags: str = ""
    links: tuple[str, ...] = ()  # the program's other names, where it is what it is called
    changes: tuple[Change, ...] = ()
    uses_c: bool = False
    modfile: str = ""
    """Where the versions stand, if not in go.mod."""
    release: str = ""
    """The module and version that it is built from, if not what go.mod pins. That release's own go.mod says the rest."""
    go_of_release: bool = False
    """Whether a release is built by the Go that it asks for, as it does not build by a newer one."""

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
        released = (self.release,) if self.release else ()
        for word in (GO_VERSION, platform.machine(), *released, *map(repr, self.changes), *self.go_flags()):
            digest.update(word.encode() + b"\0")
        for pattern in self.keyed_by:
            for file in sorted(self.folder.glob(pattern)):
                if not file.name.endswith("_test.go"):
                    digest.update(file.relative_to(self.folder).as_posix().encode() + b"\0")
                    digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def go_flags(self) -> tuple[str, ...]:
        """The flags of `go build`; the released programs carry such stamps too. Debug data takes an eighth of the time."""
        stamps = "".join(f" -X {stamp}" for stamp in self.stamps)
        # Inlining stays: without, Kubernetes takes four fifths of the time to build, and its API server half as much CPU again.
        debug = ("-trimpath", "-gcflags=all=-dwarf=false")
        versions = (f"-modfile={self.modfile}",) if self.modfile else ()
        return (*versions, *debug, f"-tags={self.tags}", f"-ldflags=-s -w{stamps}", *self.packages)

    def of(self, module: str, version: str) -> Build:
        """The same programs of another release: what is pinned or changed here is for the one in go.mod."""
        sources = tuple(pattern for pattern in self.keyed_by if pattern not in MODULE_ONLY)
        return replace(self, release=f"{module}@v{version}", keyed_by=sources, changes=())


KUBERNETES = Build(
    name="kubernetes",
    module="kubernetes",
    packages=(".",),
    keyed_by=WITH_SOURCES,
    links=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    stamps=(
        f"k8s.io/component-base/version.gitVersion=v{KUBERNETES_VERSION}",
        "k8s.io/component-base/version.gitMajor=1",
        f"k8s.io/component-base/version.gitMinor={KUBERNETES_VERSION.split('.')[1]}",
        "k8s.io/component-base/version.gitTreeState=clean",
    ),
)
CONTAINERD_MODULE = "github.com/containerd/containerd/v2"
CONTAINERD = Build(
    name="containerd",
    module="containerd",
    packages=tuple(
        f"{CONTAINERD_MODULE}/cmd/{command}" for command in ("containerd", "containerd-shim-runc-v2", "ctr")
    ),
    keyed_by=MODULE_ONLY,
    stamps=(f"{CONTAINERD_MODULE}/version.Version={CONTAINERD_VERSION}",),
)
RUNC = Build(
    name="runc",
    module="runc",
    packages=("github.com/opencontainers/runc",),
    keyed_by=MODULE_ONLY,
    tags="seccomp",
    uses_c=True,  # it is in C until it is inside a container's namespaces
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
    go_of_release=True,  # before 1.104, of a JSON library that knows Go's own of that time
    # Used on Windows only, and of a gVisor that is newer than the newest that the registry has.
    changes=(
        Change(
            module="tailscale.com",
            file="wgengine/netstack/netstack.go",
            without=r"opts\.ClockResolution = 500 \* time\.Microsecond",
        ),
    ),
)
if KUBERNETES_VERSION != NEWEST_KUBERNETES:
    KUBERNETES = KUBERNETES.of("k8s.io/kubernetes", KUBERNETES_VERSION)
if TAILSCALE_VERSION != NEWEST_TAILSCALE:
    TAILSCALE = TAILSCALE.of("tailscale.com", TAILSCALE_VERSION)
TAILNET = Build(name="tailnet", module="tailnet", packages=(".",), keyed_by=WITH_SOURCES)
APP_TOOLS = Build(name="app-tools", module="images/go", packages=("./resolve-go", "./fetch"), keyed_by=WITH_SOURCES)
TUN_DEVICE_PLUGIN = Build(name="tun-device-plugin", module="tun-device-plugin", packages=(".",), keyed_by=WITH_SOURCES)
BUILDS = (KUBERNETES, CONTAINERD, RUNC, COREDNS, TAILSCALE, TAILNET, APP_TOOLS, TUN_DEVICE_PLUGIN)

# What Pulumi's download site has, for where that cannot be reached. The provider is the newest that the registry has; its
# own module lacks what it embeds, which is written when it is released.
PULUMI_VERSION = "3.274.1"
PULUMI = Build(
    name="pulumi",
    module="pulumi",
    packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    keyed_by=MODULE_ONLY,
    stamps=(f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}",),
)
PULUMI_KUBERNETES_MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
PULUMI_KUBERNETES_SDK, KINDS = "github.com/pulumi/pulumi-kubernetes/sdk/v4", "go/kubernetes/yaml/v2/kinds.go"
PULUMI_KUBERNETES = Build(
    name="pulumi-kubernetes",
    module="pulumi-kubernetes",
    packages=(f"{PULUMI_KUBERNETES_MODULE}/cmd/pulumi-resource-kubernetes",),
    keyed_by=MODULE_ONLY,
    stamps=(f"{PULUMI_KUBERNETES_MODULE}/pkg/version.Version=4.25.0-alpha.20260115",),
    changes=(
        Change(
            module=PULUMI_KUBERNETES_MODULE,
            file="cmd/pulumi-resource-kubernetes/schema-embed.json",
            source="cmd/pulumi-resource-kubernetes/schema.json",
        ),
        Change(
            module=PULUMI_KUBERNETES_MODULE,
            file="cmd/pulumi-resource-kubernetes/terraform-mapping-embed.json",
            source="cmd/pulumi-resource-kubernetes/terraform-mapping.json",
        ),
        # Pulumi's library is the CLI's, newer than the provider, so that the two compile it once.
        Change(
            module=PULUMI_KUBERNETES_MODULE,
            file="pkg/gen/schema.go",
            without=r"Provider: pschema\.ResourceSpec{",
            instead="Provider: &pschema.ResourceSpec{",
        ),
        # The types of all kinds, which take minutes to compile, to hold what is registered of a chart or of YAML. The one of
        # custom resources holds it as well: what is sent to the engine names each kind itself.
        Change(
            module=PULUMI_KUBERNETES_SDK,
            file=KINDS,
            without=rf'\t\w+ "{PULUMI_KUBERNETES_SDK}/go/kubernetes/.*"\n',
        ),
        Change(
            module=PULUMI_KUBERNETES_SDK,
            file=KINDS,
            without=r"var res \w+\.\w+",
            instead="var res apiextensions.CustomResource",
        ),
    ),
)

PULUMI_YAML = Build(
    name="pulumi-yaml",
    module="pulumi-yaml",
    packages=("github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",),
    keyed_by=MODULE_ONLY,
)
PULUMI_SDKS = Build(name="pulumi-sdks", module="pulumi-sdks", packages=(".",), keyed_by=WITH_SOURCES)
PULUMI_SDKS_OLDER = Build(
    name="pulumi-sdks-older",
    module="pulumi-sdks",
    packages=(".",),
    keyed_by=("older.mod", "older.sum", "**/*.go"),
    tags="older",
    modfile="older.mod",
)

HEADSCALE_VERSION = "0.29.2"
HEADSCALE_MODULE = "github.com/juanfont/headscale"
HEADSCALE = Build(
    name="headscale",
    module="headscale",
    packages=(f"{HEADSCALE_MODULE}/cmd/headscale",),
    keyed_by=MODULE_ONLY,
)
"""Built by the first test that uses it, so that no start of a lab waits for it."""

PROMETHEUS_MODULE = "github.com/prometheus/prometheus"
PROMETHEUS = Build(
    name="prometheus",
    module="prometheus",
    packages=(f"{PROMETHEUS_MODULE}/cmd/prometheus", f"{PROMETHEUS_MODULE}/cmd/promtool"),
    keyed_by=MODULE_ONLY,
    tags="remove_all_sd,enable_kubernetes_sd",
)
"""Built by the first test that uses it, without the ways to find targets in clouds: these are most of its code."""

KUBE_ROUTER = Build(
    name="kube-router",
    module="kube-router",
    packages=("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",),
    keyed_by=MODULE_ONLY,
)
"""Built by the first test that uses it."""

# What only the benchmarks use, so that nobody else waits for it.
KWOK = Build(name="kwok", module="kwok", packages=("sigs.k8s.io/kwok/cmd/kwok",), keyed_by=MODULE_ONLY)
HELM = Build(name="helm", module="helm", packages=("helm.sh/helm/v4/cmd/helm",), keyed_by=MODULE_ONLY)
REPLICAS = Build(name="replicas", module="tailnet", packages=("./replicas",), keyed_by=WITH_SOURCES)


def go(*arguments: str, cwd: Path = HERE) -> str:
    """Run Go, the lab's version of it, away from whatever workspace, flags and C compiler the user has set."""
    return run([go_command(), *arguments], cwd=cwd, env=go_environment())


def go_command() -> str:
    """Find the machine's Go."""
    command = find_command("go")
    if command is None:
        raise LabError("Go is missing: install it (https://go.dev/dl/) and put it on PATH")
    return command


def go_environment(*, uses_c: bool = False, toolchain: str = GO_VERSION) -> dict[str, str]:
    """Make the environment of each of Go's commands."""
    own = {
        "CGO_ENABLED": str(int(uses_c)),
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": f"go{toolchain}",
        "GOGC": "400",  # a quarter of the compiler's time is collecting garbage
    }
    return {**os.environ, **own}


def ensure(build: Build, which: str = "") -> Path:
    """Build the programs unless the cache has them; return the folder they are in. Other programs may be built meanwhile."""
    if build.cached.exists():
        return build.bin
    with locked(CACHE / f"{build.name}.lock", f"builds {build.name}"):
        if not build.cached.exists():
            with step(f"building {build.name}{which}"):
                compile_into_cache(build)
    return build.bin


def ensure_all(builds: Sequence[Build]) -> None:
    """Build what the cache does not have, and say how many programs are left."""
    missing = [build for build in builds if not build.cached.exists()]
    for number, build in enumerate(missing, start=1):
        ensure(build, f", {number} of {len(missing)}")


def compile_into_cache(build: Build) -> None:
    """Build aside and rename, so that the cache never holds half a build."""
    for interrupted in CACHE.glob(f".building-{build.name}.*"):  # nobody else builds it: the lock is ours
        shutil.rmtree(interrupted, ignore_errors=True)  # its compiler may still write
    aside = Path(tempfile.mkdtemp(dir=CACHE, prefix=f".building-{build.name}."))
    with tempfile.TemporaryDirectory() as folder:
        versions = of_release(build, Path(folder)) if build.release else changed(build, Path(folder))
        toolchain = asked_for(Path(folder)) if build.release and build.go_of_release else GO_VERSION
        environment = go_environment(uses_c=build.uses_c, toolchain=toolchain)
        compile_into(aside / "bin", build, (*versions, *build.go_flags()), environment)
    for link in build.links:
        (aside / "bin" / link).symlink_to(build.name)
    aside.chmod(0o755)
    aside.rename(build.cached)


def compile_into(folder: Path, build: Build, flags: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run `go build`, and say now and then how much is left: the longest takes minutes."""
    unbuilt = ("list", "-deps", "-f={{if .Stale}}{{.ImportPath}}{{end}}")
    packages = len(run([go_command(), *unbuilt, *flags], cwd=build.folder, env=environment).split())
    command = [go_command(), "build", "-v", "-o", f"{folder}/", *flags]  # -v names each package that is compiled
    words, said = deque[str](maxlen=15), time.monotonic()
    with subprocess.Popen(command, cwd=build.folder, env=environment, stderr=subprocess.PIPE, text=True) as compiling:
        for done, line in enumerate(compiling.stderr or (), start=1):
            if " " in line:  # what is wrong, not just a package's name
                words.append(line.rstrip())
            if time.monotonic() > said + SECONDS_OF_SILENCE:
                say(f"  {build.name}: {done} of {packages} packages")
                said = time.monotonic()
    if compiling.returncode != 0:
        raise LabError(f"`{shlex.join(command)}` ended with status {compiling.returncode}:\n  " + "\n  ".join(words))


def changed(build: Build, folder: Path) -> tuple[str, ...]:
    """Copy the dependencies that are changed, and change them; return the flag that makes Go use the copies."""
    if not build.changes:
        return ()
    for name in MODULE_ONLY:
        shutil.copy(build.folder / name, folder)
    for change in build.changes:
        if not (copy := folder / change.module).exists():
            original: str = json.loads(go("mod", "download", "-json", change.module, cwd=build.folder))["Dir"]
            shutil.copytree(original, copy)
            go("mod", "edit", f"-replace={change.module}={copy}", str(folder / "go.mod"))
        change.apply(copy)
    return (f"-modfile={folder}/go.mod",)


def of_release(build: Build, folder: Path) -> tuple[str, ...]:
    """Write a go.mod for the release; return the flags that make Go use it, and find what else the programs need."""
    module, version = build.release.split("@v")
    downloaded = json.loads(go("mod", "download", "-json", build.release, cwd=folder))
    own = json.loads(go("mod", "edit", "-json", downloaded["GoMod"], cwd=folder))
    # Kubernetes asks for v0.0.0 of its parts, which are folders of its repository: published, 1.35.4 has them as 0.35.4.
    parts = [required["Path"] for required in own["Require"] if required["Version"] == "v0.0.0"]
    lines = [f"module lab.local/{build.name}", f"go {own['Go']}", f"require {module} v{version}"]
    lines += [f"replace {part} => {part} v0.{version.partition('.')[2]}" for part in parts]
    (folder / "go.mod").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return (f"-modfile={folder}/go.mod", "-mod=mod")


def asked_for(folder: Path) -> str:
    """The version of Go that a go.mod asks for."""
    version: str = json.loads(go("mod", "edit", "-json", str(folder / "go.mod")))["Go"]
    return version
