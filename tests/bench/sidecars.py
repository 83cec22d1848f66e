"""Real sidecars without pods: the component's container, its scripts, containerboot and tailscaled, as plain processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tailscale_sidecar import OAuthClient, PersistentVolumeState, UserspaceNetworking
from tests.lab import cgroups, processes
from tests.lab.processes import Process
from tests.lab.settings import BIN, STATE, TAILNET_URL
from tests.support.deployment import QUIET
from tests.support.pod import Pod, expanded, pod

FILES = f"""\
mount -t tmpfs sidecar /run
mount -t tmpfs sidecar /tmp
mkdir /run/tailscale-sidecar
mount --bind {BIN} /usr/local/bin
exec "$@"
"""
"""What a container would have of its own, in a mount namespace. The network is the lab's."""


@contextmanager
def sidecars(auth: OAuthClient, ordinals: Sequence[int], **arguments: Any) -> Iterator[None]:
    """The sidecars of some replicas, in userspace mode. They end with the block, and at the latest with the lab."""
    made = pod(
        auth=auth,
        networking=UserspaceNetworking(),
        state=PersistentVolumeState(),
        login_server=TAILNET_URL,
        pod_management_policy="Parallel",
        env=QUIET,
        **arguments,
    )
    credential = STATE / "sidecars-credential"
    credential.touch(mode=0o600)
    credential.write_text(str(auth.client_secret), encoding="utf-8")
    words = [expanded(word, {}) for word in made.sidecar["command"]]
    names = {ordinal: f"sidecar-{ordinal}" for ordinal in ordinals}
    try:
        for ordinal, name in names.items():
            env = {**environment(made, ordinal), "CREDENTIAL_FILE": str(credential)}
            command = ["unshare", "--mount", "--propagation=private", "sh", "-euc", FILES, "sh", *words]
            processes.start(name, cgroups.CONTROL, command, env)
        yield
    finally:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(stop, names.values()))
        credential.unlink()


def environment(made: Pod, ordinal: int) -> dict[str, str]:
    """A replica's variables; what all of them would open in the lab's one network is off, or at another address."""
    env = made.env(ordinal=ordinal, addresses=f"127.1.{ordinal // 250}.{1 + ordinal % 250}")
    here = {"TS_STATE_DIR": "/run/state", "TS_SOCKS5_SERVER": "", "TS_OUTBOUND_HTTP_PROXY_LISTEN": ""}
    return {**env, **here, "GOGC": "100"}


def stop(name: str) -> None:
    """Ends a sidecar as the kubelet does."""
    if process := Process.recorded(name):
        process.stop(30)
