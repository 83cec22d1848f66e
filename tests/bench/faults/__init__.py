"""The faults of docs/benchmarks.md: each comes upon the guide's manifest and the component alike."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.table import Rows
from tests.support.subjects import Bench

from .crashes import crashes, node_restarts
from .credentials import credentials
from .ending import termination
from .identity import deleted_device, interrupted_registration, lost_state, rolling_restart
from .names import names
from .outages import outages, rate_limit
from .routes import routes
from .settings import settings

FAULTS: tuple[Callable[[Bench], Rows], ...] = (
    names,
    crashes,
    node_restarts,
    rolling_restart,
    settings,
    credentials,
    outages,
    rate_limit,
    routes,
    lost_state,
    interrupted_registration,
    deleted_device,
    termination,
)
