"""The in-pod resolver by itself: real CoreDNS with the pod's Corefile, in place of tailscaled a name server that changes.

While that answers, nothing older than a second is answered; while it does not, the last answer of each name.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tailscale_sidecar import InPodSplitDns
from tailscale_sidecar.pod.contract import COREFILE_ANNOTATION, QUAD100
from tests.lab import Lab, binaries
from tests.support.name_server import AAAA, A, Answer, NameServer, ask
from tests.support.pod import pod

NETWORK = f"127.1.{os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw')}"
"""The addresses of one of the processes that run the tests: others run their resolvers beside it."""
APP, BEHIND, PORT, UPSTREAM_PORT = f"{NETWORK}.1", f"{NETWORK}.2", 5300, 5301
FRESH = 1.0
"""Seconds that an answer may be old."""
OLD, NEW = "100.64.0.1", "100.64.0.2"
HISTORIES: dict[str, list[str | None]] = {
    "an address": [OLD],
    "no such name": [None],
    "a name that changed its address": [OLD, NEW],
    "a name that came": [None, OLD],
    "a name that went": [OLD, None],
    "a name that went and came back": [OLD, None, NEW],
    "a name that came and went": [None, OLD, None],
}


@dataclass(frozen=True)
class Resolver:
    """A running resolver, and what is behind it."""

    tailscaled: NameServer

    def ask(self, name: str, kind: int = A) -> Answer:
        return ask(APP, PORT, name, kind)

    def ask_at_once(self, name: str) -> list[str]:
        """What several programs are told that ask a moment apart, so that the later ask while the first one waits."""
        with ThreadPoolExecutor(4) as pool:
            asked = []
            for _ in range(4):
                asked.append(pool.submit(self.ask, name))
                time.sleep(0.01)
            return [one.result().said for one in asked]

    def live(self, name: str, history: list[str | None]) -> None:
        """Gives a name one address after the other, or none; each is asked for."""
        for address in history:
            if address:
                self.tailscaled.names[name] = address
            else:
                self.tailscaled.names.pop(name, None)
            time.sleep(FRESH)
            for kind in (A, AAAA):
                self.ask(name, kind)


@pytest.fixture
def resolver(lab: Lab, tmp_path: Path) -> Iterator[Resolver]:
    """CoreDNS as in the pod, but for its addresses and ports."""
    del lab  # is entered: nothing else listens there
    text = pod(dns=InPodSplitDns()).template["metadata"]["annotations"][COREFILE_ANNOTATION]
    text = text.replace("bind 127.0.0.1", f"bind {APP}").replace("bind 127.0.0.2", f"bind {BEHIND}")
    text = text.replace(QUAD100, f"{APP}:{UPSTREAM_PORT}").replace(" 127.0.0.2", f" {BEHIND}:{PORT}")
    text = text.replace("{$POD_IP}", APP)
    corefile = tmp_path / "Corefile"
    corefile.write_text(text, encoding="utf-8")
    coredns = [str(binaries.ensure(binaries.COREDNS) / "coredns"), f"-dns.port={PORT}", "-conf", str(corefile)]
    tailscaled = NameServer({"ready.ts.net": OLD})
    with tailscaled.listening(APP, UPSTREAM_PORT), (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(coredns, stdout=log, stderr=log)
        try:
            resolver = Resolver(tailscaled)
            await_answer(process)
            yield resolver
        finally:
            process.kill()
            process.wait()


def await_answer(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with suppress(OSError):
            if ask(APP, PORT, "ready.ts.net", timeout=1).said == OLD:
                return
        time.sleep(0.05)
    pytest.fail(f"CoreDNS ended with {process.returncode}")


@pytest.mark.parametrize(("before", "after"), [(OLD, NEW), (None, NEW), (OLD, None)], ids=["changed", "came", "went"])
def test_look_ups_at_once_all_get_the_new_answer(resolver: Resolver, before: str | None, after: str | None) -> None:
    resolver.tailscaled.delay = 0.05
    for number in range(3):
        name = f"db-{number}.ts.net"
        resolver.live(name, [before])
        if after:
            resolver.tailscaled.names[name] = after
        else:
            del resolver.tailscaled.names[name]
        time.sleep(FRESH)
        assert resolver.ask_at_once(name) == [after or "NXDOMAIN"] * 4


def test_while_tailscaled_is_silent_each_name_keeps_its_last_answer_within_half_a_second(resolver: Resolver) -> None:
    names = {f"{number}.ts.net": history for number, history in enumerate(HISTORIES.values())}
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(resolver.live, names, names.values()))
        time.sleep(FRESH)
        resolver.tailscaled.silent = True
        found = dict(zip(names, pool.map(resolver.ask, names), strict=True))
        ipv6 = dict(zip(names, pool.map(lambda name: resolver.ask(name, AAAA), names), strict=True))
    last = [history[-1] for history in HISTORIES.values()]
    assert [one.said for one in found.values()] == [address or "NXDOMAIN" for address in last]
    assert [one.said for one in ipv6.values()] == ["NODATA" if address else "NXDOMAIN" for address in last]
    assert max(one.seconds for one in (*found.values(), *ipv6.values())) < 1  # half a second, and a busy machine


def test_when_tailscaled_is_back_its_answers_are_new_at_once(resolver: Resolver) -> None:
    resolver.live("db.ts.net", [OLD])
    resolver.tailscaled.silent = True
    time.sleep(FRESH)
    assert resolver.ask("db.ts.net").said == OLD
    resolver.tailscaled.names["db.ts.net"] = NEW
    resolver.tailscaled.silent = False
    assert resolver.ask("db.ts.net").said == NEW


def test_a_name_whose_answer_takes_longer_is_found_all_the_same(resolver: Resolver) -> None:
    # Of a domain that the tailnet resolves elsewhere.
    resolver.tailscaled.names["far.ts.net"] = OLD
    resolver.tailscaled.delay = 0.8
    assert resolver.ask("far.ts.net").said == OLD
