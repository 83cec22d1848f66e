"""The container images, written as one docker-archive without a container engine.

The same inputs give the same bytes. A stock name is given only to an image that holds what the
stock image holds, as far as a pod can tell: the programs, their libraries, user and capabilities.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from . import binaries
from .settings import CACHE, COREDNS_VERSION, HERE, SYSTEM_PATH, TAILSCALE_VERSION
from .shell import LabError, find_command, locked, run, step

TAILSCALE_IMAGE = f"ghcr.io/tailscale/tailscale:v{TAILSCALE_VERSION}"
REBUILT_IMAGE = "lab.local/tailscale:rebuilt"  # the same programs, but another image: as after a tag has moved
COREDNS_IMAGE = f"docker.io/coredns/coredns:{COREDNS_VERSION}"
APP_IMAGE = "lab.local/app:1"
PAUSE_IMAGE = "lab.local/pause:1"

SOURCES = HERE / "images"
BUSYBOX = Path("/bin/busybox")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# VFS_CAP_REVISION_2 with the effective bit; permitted: CAP_NET_BIND_SERVICE (10). A container
# whose bounding set lacks it cannot even execute the file, which pods that drop all run into.
NET_BIND_SERVICE = "\x01\x00\x00\x02\x00\x04\x00\x00" + "\x00" * 12

APP_ENTRYPOINT = """\
#!/bin/sh
# Answers every request for / with the pod's host name, on $PORT; needs neither root nor a
# writable root file system. The shell stays process 1 so that SIGTERM ends the pod at once.
trap 'exit 0' TERM INT
httpd -f -p "${PORT:-80}" -h /www &
wait
"""
APP_PAGE = """\
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
hostname
"""


@dataclass
class Tree:
    """The files of an image, by their path in it."""

    files: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def add(self, path: str, content: bytes, mode: int = 0o644, capability: str = "") -> None:
        """Add a file."""
        entry = self.entry(path, tarfile.REGTYPE, mode)
        entry.size = len(content)
        if capability:
            entry.pax_headers = {"SCHILY.xattr.security.capability": capability}
        self.files[entry.name] = (entry, content)

    def add_program(self, source: Path, path: str, capability: str = "") -> None:
        """Add a program of this machine, with the shared libraries it needs."""
        self.add(path, source.read_bytes(), 0o755, capability)
        for library in shared_libraries(source):
            self.add(str(library), library.read_bytes(), 0o755)

    def add_link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        entry = self.entry(path, tarfile.SYMTYPE, 0o777)
        entry.linkname = target
        self.files[entry.name] = (entry, b"")

    def add_folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder."""
        entry = self.entry(path, tarfile.DIRTYPE, mode)
        self.files[entry.name] = (entry, b"")

    def entry(self, path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
        """Make the tar header of a path, after those of its parents."""
        name = path.strip("/")
        parent = name.rpartition("/")[0]
        if parent and parent not in self.files:
            self.add_folder(parent)
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = kind, mode
        return entry

    def tar(self) -> bytes:
        """Write the layer, parents before what is in them."""
        return tar(self.files[path] for path in sorted(self.files))


@dataclass(frozen=True)
class Image:
    """A named image of one layer."""

    name: str
    tree: Tree
    config: dict[str, object]


def tar(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Write (header, content) pairs as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def shared_libraries(program: Path) -> list[Path]:
    """Name what the dynamic linker would load, the loader itself included."""
    ldd = find_command("ldd") or "ldd"
    try:
        said = run([ldd, program])
    except LabError:  # a static program
        return []
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]


def base_tree() -> Tree:
    """What the images with a shell share: busybox with its applets, users, certificates."""
    tree = Tree()
    for folder in ("dev", "etc", "proc", "root", "run", "sys", "usr/local/bin", "var/lib"):
        tree.add_folder(folder)
    tree.add_folder("tmp", 0o1777)
    tree.add_link("var/run", "/run")
    tree.add("bin/busybox", BUSYBOX.read_bytes(), 0o755)
    for applet in run([BUSYBOX, "--list"]).split():
        if applet not in ("busybox", "sh"):
            tree.add_link(f"bin/{applet}", "/bin/busybox")
    # Debian's busybox shell runs its own applets whatever else is on PATH, which would hide the
    # real `ip`. Alpine's does not, and dash does not either.
    tree.add_program(program("dash"), "bin/sh")
    tree.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    tree.add("etc/group", b"root:x:0:\nnobody:x:65534:\n")
    tree.add("etc/nsswitch.conf", b"hosts: files dns\n")
    add_certificates(tree)
    return tree


def add_certificates(tree: Tree) -> None:
    """Add this machine's certificate authorities, if it has any."""
    if CERTIFICATES.exists():
        tree.add(str(CERTIFICATES), CERTIFICATES.read_bytes())


def tailscale_image() -> Image:
    """The sidecar: the programs as released, legacy iptables by default, nftables beside it."""
    tree = base_tree()
    for name in ("tailscale", "tailscaled", "containerboot"):
        tree.add_program(binaries.TAILSCALE.bin / name, f"usr/local/bin/{name}")
    tree.add_link("tailscale/run.sh", "/usr/local/bin/containerboot")
    add_firewall_tools(tree)
    del tree.files["bin/ip"]
    tree.add_program(program("ip"), "sbin/ip")
    return Image(TAILSCALE_IMAGE, tree, {"Cmd": ["/usr/local/bin/containerboot"]})


def rebuilt(image: Image, name: str) -> Image:
    """Another image of the same content."""
    return Image(name, image.tree, {**image.config, "Labels": {"rebuilt": "true"}})


def add_firewall_tools(tree: Tree) -> None:
    """Add iptables in both variants with its extensions, and nft."""
    for variant in ("legacy", "nft"):
        tree.add_program(program(f"xtables-{variant}-multi"), f"usr/sbin/xtables-{variant}-multi")
        for tool in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                tree.add_link(f"usr/sbin/{tool}-{variant}{suffix}", f"xtables-{variant}-multi")
                if variant == "legacy":
                    tree.add_link(f"usr/sbin/{tool}{suffix}", "xtables-legacy-multi")
    tree.add_program(program("nft"), "usr/sbin/nft")
    for extension in Path("/usr/lib").glob("*/xtables/*.so"):
        tree.add_program(extension, str(extension))


def program(name: str) -> Path:
    """Find a program of this machine."""
    found = find_command(name)
    if found is None:
        raise LabError(f"{name} is missing; `python -m tests.lab setup` installs it")
    return Path(found).resolve()


def app_image() -> Image:
    """A small web server, and probes that ask each of three resolvers."""
    tree = base_tree()
    with tempfile.TemporaryDirectory() as folder:
        for name, compiler in (("musl", ["musl-gcc", "-static"]), ("glibc", ["gcc"])):
            built = Path(folder) / f"resolve-{name}"
            run([*compiler, "-Os", "-s", "-Wall", "-o", built, SOURCES / "resolve.c"])
            tree.add_program(built, f"usr/local/bin/resolve-{name}")
    for name in ("resolve-go", "fetch"):
        tree.add_program(binaries.APP_TOOLS.bin / name, f"usr/local/bin/{name}")
    tree.add_link("usr/local/bin/curl", "fetch")  # with `getent`, what `make smoke` finds in nginx's image
    tree.add_program(program("getent"), "usr/bin/getent")
    tree.add("usr/local/bin/app", APP_ENTRYPOINT.encode(), 0o755)
    tree.add("www/cgi-bin/index.cgi", APP_PAGE.encode(), 0o755)
    ports: dict[str, object] = {"80/tcp": {}}
    return Image(APP_IMAGE, tree, {"Entrypoint": ["/usr/local/bin/app"], "ExposedPorts": ports})


def pause_image() -> Image:
    """What holds a pod's namespaces open."""
    tree = Tree()
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "pause"
        run(["musl-gcc", "-static", "-Os", "-s", "-Wall", "-o", built, SOURCES / "pause.c"])
        tree.add_program(built, "pause")
    return Image(PAUSE_IMAGE, tree, {"Entrypoint": ["/pause"], "User": "65535:65535"})


def coredns_image() -> Image:
    """CoreDNS with all its plugins, user and file capability as released."""
    tree = Tree()
    tree.add_program(binaries.COREDNS.bin / "coredns", "coredns", NET_BIND_SERVICE)
    tree.add("etc/passwd", b"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home:\n")
    tree.add("etc/group", b"root:x:0:\nnonroot:x:65532:\n")
    tree.add_folder("tmp", 0o1777)
    add_certificates(tree)
    return Image(
        COREDNS_IMAGE,
        tree,
        {"Entrypoint": ["/coredns"], "User": "65532:65532", "WorkingDir": "/"},
    )


def ensure() -> Path:
    """Write the images unless the cache has them; return the archive."""
    archive = CACHE / f"images-{key()}.tar"
    if archive.exists():
        return archive
    with locked(CACHE / "images.lock", "writes the images"):
        if not archive.exists():
            with step("writing the images"):
                aside = archive.with_suffix(".part")
                aside.write_bytes(docker_archive())
                aside.rename(archive)
    return archive


def key() -> str:
    """Name everything the images depend on."""
    digest = hashlib.sha256()
    for build in (binaries.TAILSCALE, binaries.COREDNS, binaries.APP_TOOLS):
        digest.update(build.key().encode())
    tools = [program(name) for name in ("xtables-legacy-multi", "nft", "ip", "dash", "getent")]
    own = [Path(__file__), *sorted(SOURCES.glob("*.c"))]
    for file in (*own, BUSYBOX, *tools):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def docker_archive() -> bytes:
    """Write all images as one archive, which containerd imports in one go."""
    files: dict[str, bytes] = {}
    manifest = []
    tailscale = tailscale_image()
    for image in (pause_image(), tailscale, rebuilt(tailscale, REBUILT_IMAGE), app_image(), coredns_image()):
        layer = image.tree.tar()
        digest = hashlib.sha256(layer).hexdigest()
        config = json.dumps(
            {
                "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
                "os": "linux",
                "config": {"Env": [f"PATH={SYSTEM_PATH}"], **image.config},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            },
            sort_keys=True,
        ).encode()
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        files |= {config_name: config, f"{digest}.tar": layer}
        manifest.append({"Config": config_name, "RepoTags": [image.name], "Layers": [f"{digest}.tar"]})
    files["manifest.json"] = json.dumps(manifest).encode()
    return tar((sized(name, content), content) for name, content in files.items())


def sized(name: str, content: bytes) -> tarfile.TarInfo:
    """Make the tar header of a file of the archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    return entry
