"""What all layers of the tests share: the lab, which ends with the session that started it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override
from xdist.remote import Producer  # type: ignore[import-untyped] # it has no types
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no types

from tests.lab import Lab, LabError, binaries, headscale_server, prometheus_server
from tests.lab import network_policies as network_policies_server
from tests.lab.headscale_server import Headscale
from tests.lab.prometheus_server import Prometheus
from tests.lab.tailnet_client import Tailnet
from tests.support import dashboard_page
from tests.support.deployment import Workspace

# An Output that fails is told by the test that expects it. asyncio logs it too, whenever its future is collected, and shows
# the source by parsing it, which Python 3.11 does not stand while it parses something else.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

LAB_WAS_UP = pytest.StashKey[bool]()
LAB_WAS_USED = pytest.StashKey[bool]()
BUILT: dict[str, Callable[[], object]] = {
    "grafana": dashboard_page.ensure,
    "headscale": lambda: binaries.ensure(binaries.HEADSCALE),
    "network_policies": network_policies_server.ensure,
    "prometheus": prometheus_server.ensure,
    "promtool": lambda: binaries.ensure(binaries.PROMETHEUS),
}
"""What fixtures take that no start of a lab waits for."""
NEEDS_ROOT = "the tests on the lab are skipped: it makes a network namespace, which needs root (sudo make test)"


class OneDeploymentOneWorker(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Keeps the tests that look at one deployment on one worker, which then deploys it once; spreads all others."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if shares(file) else nodeid


@cache
def shares(file: str) -> bool:
    """Whether the tests of a file share something on the lab. (The process that schedules has only their names.)"""
    source = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
    return any(fixture in source for fixture in ("shared_workspace", "alone"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """What `-n` uses."""
    return OneDeploymentOneWorker(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Builds now what some tests use: once a test has entered the lab's network, nothing can be downloaded."""
    if os.geteuid() != 0 or config.option.collectonly:
        return
    for fixture, ensure in BUILT.items():
        if any(fixture in getattr(item, "fixturenames", ()) for item in items):
            with contextlib.suppress(LabError):  # the fixture says it, to the tests that need it
                ensure()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remembers, in the process that leads, whether a lab was up before."""
    session.config.stash[LAB_WAS_USED] = False
    if not hasattr(session.config, "workerinput") and os.geteuid() == 0:
        session.config.stash[LAB_WAS_UP] = Lab().is_healthy()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learns from a process of `-n` whether its tests used the lab."""
    node.config.stash[LAB_WAS_USED] |= getattr(node, "workeroutput", {}).get("lab_was_used", False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stops a lab that this session started, and no other that came up meanwhile."""
    used = session.config.stash[LAB_WAS_USED]
    output: dict[str, bool] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["lab_was_used"] = used
    elif used and not session.config.stash[LAB_WAS_UP]:
        Lab().stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was skipped for want of root, however quiet the run."""
    if os.geteuid() != 0 and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line(f"! {NEEDS_ROOT}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Lab:
    """A real API server, kubelet and control plane, with this process inside their network."""
    if os.geteuid() != 0:
        pytest.skip(NEEDS_ROOT)
    pytestconfig.stash[LAB_WAS_USED] = True
    lab = Lab.start()
    lab.enter()
    return lab


@pytest.fixture(scope="session")
def tailnet(lab: Lab) -> Tailnet:
    """The lab's tailnet, with the guide's split DNS route and a global nameserver that knows nothing of the cluster."""
    tailnet = Tailnet(lab.tailnet_url)
    dns = {
        "split": {"svc.cluster.local": ["10.96.0.10"]},
        "nameservers": ["10.200.0.2"],
        "records": {"db.corp.example": "100.64.9.9"},
    }
    # Where there are routes, another worker's tests are under way, which may have made some.
    if not tailnet.call("GET", "/lab/dns")["split"]:
        tailnet.call("PUT", "/lab/dns", dns)
    return tailnet


@pytest.fixture
def workspace(lab: Lab, tailnet: Tailnet) -> Iterator[Workspace]:
    """A namespace of the test's own."""
    with Workspace.temporary(lab, tailnet) as temporary:
        yield temporary


@pytest.fixture(scope="module")
def shared_workspace(lab: Lab, tailnet: Tailnet) -> Iterator[Workspace]:
    """A namespace for all tests of a module, where they look at one deployment from several sides."""
    with Workspace.temporary(lab, tailnet) as temporary:
        yield temporary


@pytest.fixture
def prometheus(lab: Lab) -> Iterator[Prometheus]:
    """A Prometheus in the cluster's network that knows nothing yet."""
    with prometheus_server.prometheus(lab.kubeconfig) as running:
        yield running


@pytest.fixture
def network_policies(lab: Lab) -> Iterator[None]:
    """Pods reach what NetworkPolicies let them reach."""
    with network_policies_server.enforced(lab):
        yield


@pytest.fixture(scope="module")
def headscale(lab: Lab, tailnet: Tailnet) -> Iterator[Headscale]:
    """A Headscale that knows nobody yet."""
    del lab, tailnet  # its nodes use that one's relay
    with headscale_server.headscale() as running:
        yield running


@pytest.fixture(scope="module")
def shared_workspace_on_headscale(lab: Lab, headscale: Headscale) -> Iterator[Workspace]:
    """A namespace for all tests of a module, whose replicas register with Headscale."""
    with Workspace.temporary(lab, headscale) as temporary:
        yield temporary
