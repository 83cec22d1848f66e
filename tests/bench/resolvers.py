"""The in-pod resolver beside Unbound, which could do the same: in one pod's network, asked for the same names."""

from __future__ import annotations

import re
import socket
import statistics
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tailscale_sidecar import InPodSplitDns
from tests.lab import LabError, namespace
from tests.lab.settings import IPV4
from tests.lab.shell import find_command, wait_for
from tests.support.deployment import Deployment
from tests.support.sidecar import Sidecar
from tests.support.subjects import Bench, Subject

from .faults.names import CLUSTER_NAME
from .table import Cell, Row, Rows

UNBOUND = """\
server:
  interface: 127.0.0.2
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "."
  pidfile: ""
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "10.in-addr.arpa." nodefault
  local-zone: "local." nodefault
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
  serve-expired: yes
  serve-expired-ttl: 3600
  serve-expired-client-timeout: 500
remote-control:
  control-enable: no
forward-zone:
  name: "ts.net."
  forward-addr: 100.100.100.100
forward-zone:
  name: "."
  forward-addr: {cluster_dns}
  forward-no-cache: yes
"""
"""What InPodSplitDns' Corefile says, in Unbound's words."""
ROUNDS = 5000
"""Look-ups of a cluster name and of a tailnet name, one after the other."""
SECONDS = 2.0
"""How long an answer is waited for."""


class Found(NamedTuple):
    """What was seen of a resolver."""

    idle: float
    """MiB resident."""
    asked: float
    """MiB resident after the look-ups."""
    look_up: float
    """Milliseconds, at the median."""


def resolvers(bench: Bench) -> Rows:
    """Both in the network of one pod."""
    subject = Subject("InPodSplitDns", dns=InPodSplitDns())
    with bench.deployed((subject,)) as apps:
        (app,) = apps.apps.values()
        coredns = Sidecar(app, container="tailscale-dns").pids()[0]
        with unbound(coredns) as process:
            found = {
                "CoreDNS": measured(app, coredns, coredns, "127.0.0.1"),
                "Unbound": measured(app, coredns, process.pid, "127.0.0.2"),
            }

    def row(title: str, text: Callable[[Found], str]) -> Row:
        return Row(title, {label: Cell(text(one)) for label, one in found.items()})

    yield row(f"memory, idle / after {2 * ROUNDS:,} look-ups", lambda one: f"{one.idle:.0f} / {one.asked:.0f} MiB")
    yield row("a look-up", lambda one: f"{one.look_up:.2f} ms")


@contextmanager
def unbound(pid: int) -> Iterator[subprocess.Popen[bytes]]:
    """Unbound in the network of a process."""
    program = find_command("unbound")
    if program is None:
        raise LabError("Unbound is missing: apt-get install unbound, and stop the service that this starts")
    with TemporaryDirectory() as folder:
        config = Path(folder, "unbound.conf")
        config.write_text(UNBOUND.format(cluster_dns=IPV4.dns), encoding="utf-8")
        command = ["nsenter", f"--net=/proc/{pid}/ns/net", "--", program, "-d", "-c", str(config)]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.terminate()


def measured(app: Deployment, network_of: int, pid: int, server: str) -> Found:
    """A resolver's memory before and after the look-ups, and how long these take."""
    names = (CLUSTER_NAME, f"{app.pod()}.lab.ts.net")

    def look_up() -> Found:
        namespace.enter(Path(f"/proc/{network_of}/ns/net"))
        wait_for(f"{server} to answer", lambda: all(seconds(server, name) is not None for name in names))
        idle = resident(pid)
        times = [seconds(server, name) or SECONDS for _ in range(ROUNDS) for name in names]
        return Found(idle, resident(pid), 1000 * statistics.median(times))

    with ThreadPoolExecutor(1) as pool:  # a thread of its own, for it goes to another network
        return pool.submit(look_up).result()


def seconds(server: str, name: str) -> float | None:
    """How long a look-up of an IPv4 address takes; None if there is no answer with one."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!x2H", 1, 1)  # recursion desired; A, IN
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        began = time.monotonic()
        client.sendto(query, (server, 53))
        try:
            answer = client.recv(4096)
        except OSError:
            return None  # nobody listens, or nobody answers
    found: int = struct.unpack_from("!H", answer, 6)[0]
    return time.monotonic() - began if found else None


def resident(pid: int) -> float:
    """MiB of a process, its code counted in full."""
    return int(re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) / 1024
