"""Who is away for a while: the API server, or the tailnet's control plane."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import Lab
from tests.lab.tailnet_client import Tailnet


@contextmanager
def api_server_away(lab: Lab, tailnet: Tailnet) -> Iterator[None]:
    """Kubernetes' API server is dead."""
    del tailnet
    lab.kill("kube-apiserver")
    try:
        yield
    finally:
        lab.start_component("kube-apiserver")
        lab.restart("kube-scheduler")  # it may end by itself when it has missed too much; here nobody starts it again


@contextmanager
def control_plane_away(lab: Lab, tailnet: Tailnet) -> Iterator[None]:
    """The control plane answers nobody; the relay goes on."""
    del lab
    with tailnet.fault(target="connect", outage=True), tailnet.fault(target="all", outage=True):
        yield
