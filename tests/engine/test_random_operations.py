"""Operations at random on one program: after each, exactly the devices and Secrets that there should be, and no more calls.

A failure shows its seed and what was done; with TAILSCALE_SIDECAR_SEED the same is done again.
"""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from collections.abc import Callable

import pytest

from tests.lab.shell import say
from tests.support.cleanup_credential import Credential
from tests.support.deployment import Deployment
from tests.support.program import Program, await_nothing_but, everything
from tests.support.sidecar import Sidecar

OPERATIONS = 50
MOST_REPLICAS = 3
SETTINGS = {
    "accept_routes": (False, True),
    "labels": ({}, {"tier": "web"}, {"tier": "database"}),
    "metrics": (True, False),
    "shields_up": (False, True),
}
CLUSTER_CIDRS = ["10.244.0.0/16", "10.96.0.0/12"]
PATIENCE = 400
"""Seconds: the kubelet waits up to 300 before it restarts a container that was killed often."""
Calls = Counter[tuple[str, str, str]]
"""How often a client called: `replica` or `cleanup`, the method, the last part of the path."""


class Life:
    """A program with one component, and what should be there: a model of it, in `identities`."""

    def __init__(self, program: Program, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - it has to be the same again, and is no secret
        self.program = program
        self.tailnet = program.workspace.tailnet
        self.cleanup = Credential.create(self.tailnet)
        self.users = {program.client_id: "replica", self.cleanup.client_id: "cleanup"}
        self.app = program.add(
            replicas=2,
            device_cleanup=self.cleanup.argument(),
            cluster_cidrs=CLUSTER_CIDRS,
            pod_management_policy="Parallel",
        )
        self.is_up = False
        self.identities: dict[str, tuple[str, ...]] = {}
        """Of each replica that is there."""
        self.seen_requests = 0

    # -- what a user does, and what befalls him --------------------------------------------

    def up(self) -> None:
        self.program.up()
        self.is_up = True

    def scale(self) -> None:
        self.app.change(replicas=self.random.randrange(MOST_REPLICAS + 1))
        self.up()

    def scale_with_an_interruption(self) -> None:
        pods = self.app.pods()
        self.app.change(replicas=self.random.choice([n for n in range(MOST_REPLICAS + 1) if n != len(pods)]))
        self.program.write()
        self.program.stack.interrupt_up(lambda: self.app.pods() != pods)
        self.up()

    def change_a_setting(self) -> None:
        name = self.random.choice(list(SETTINGS))
        self.app.change(**{name: self.random.choice(SETTINGS[name])})
        self.up()

    def rotate_the_replicas_credential(self) -> None:
        old = self.program.client_id
        self.program.client_id, self.program.client_secret = self.tailnet.oauth_client()
        self.users[self.program.client_id] = "replica"
        self.program.stack.configure(clientId=self.program.client_id, clientSecret=self.program.client_secret)
        self.up()
        self.tailnet.call("DELETE", f"/lab/oauth-clients/{old}")

    def rotate_the_credential_of_the_clean_up(self) -> None:
        old, self.cleanup = self.cleanup, Credential.create(self.tailnet)
        self.users[self.cleanup.client_id] = "cleanup"
        self.app.change(device_cleanup=self.cleanup.argument())
        self.up()
        old.revoke()

    def refresh(self) -> None:
        self.program.stack.refresh()
        if self.is_up:
            self.program.stack.expect_no_changes()

    def destroy(self) -> None:
        self.program.stack.destroy()
        self.is_up = False

    def crash_tailscaled(self) -> None:
        Sidecar(self.deployment, self.any_replica()).crash(seconds=PATIENCE)

    def delete_a_pod(self) -> None:
        self.deployment.delete_pods(self.any_replica(), seconds=PATIENCE)

    @property
    def operations(self) -> list[Callable[[], None]]:
        """What can be done now."""
        always = [
            self.up,
            self.scale,
            self.scale_with_an_interruption,
            self.change_a_setting,
            self.rotate_the_replicas_credential,
            self.rotate_the_credential_of_the_clean_up,
            self.refresh,
            self.destroy,
        ]
        return [*always, self.crash_tailscaled, self.delete_a_pod] if self.identities else always

    @property
    def deployment(self) -> Deployment:
        """The component, for the fault tests' tools."""
        return Deployment(self.program.workspace, self.app.name, {})

    def any_replica(self) -> int:
        return self.random.randrange(len(self.identities))

    # -- what should be --------------------------------------------------------------------

    def check(self) -> None:
        """Fails unless just the right replicas are there, those that stayed are who they were, and nobody called in vain."""
        name, was = self.app.name, self.identities
        pods = {f"{name}-{ordinal}" for ordinal in range(self.app.replicas if self.is_up else 0)}
        self.tailnet.await_devices(name, len(pods), PATIENCE)
        self.identities = self.app.identities()
        assert self.identities.keys() == pods
        assert self.secrets() == pods | ({f"{name}-auth"} if self.is_up else set())

        stayed, gone, new = was.keys() & pods, was.keys() - pods, pods - was.keys()
        assert {pod: self.identities[pod] for pod in stayed} == {pod: was[pod] for pod in stayed}
        assert not {device_id(self.identities[pod]) for pod in new} & {device_id(was[pod]) for pod in was}
        expected: Calls = Counter()
        for call in ("token", "keys"):
            expected["replica", "POST", call] += len(new)
        expected["cleanup", "POST", "token"] += bool(gone)
        for method in ("GET", "DELETE"):
            expected.update(("cleanup", method, device_id(was[pod])) for pod in gone)
        assert self.calls() == +expected

    def secrets(self) -> set[str]:
        return {found["metadata"]["name"] for found in self.program.workspace.find_all("Secret")}

    def calls(self) -> Calls:
        """Of Tailscale's API, since this was asked last, with the credentials of this program."""
        requests = self.tailnet.call("GET", f"/lab/requests?since={self.seen_requests}")
        self.seen_requests = max([self.seen_requests, *(request["seq"] for request in requests)])
        return Counter(
            (self.users[request["client"]], request["method"], request["path"].rpartition("/")[2])
            for request in requests
            if request.get("client") in self.users and request["path"].startswith("/api/v2/")
        )


def device_id(identity: tuple[str, ...]) -> str:
    """The device's ID, of what `Component.identities` has of it."""
    return identity[2]


@pytest.fixture
def seed() -> int:
    """What the operations follow from."""
    return int(os.environ.get("TAILSCALE_SIDECAR_SEED") or secrets.randbelow(1_000_000))


@pytest.mark.soak
def test_whatever_is_done_in_whatever_order_the_right_devices_and_secrets_are_there(
    program: Program, seed: int
) -> None:
    before, life = everything(program), Life(program, seed)
    done: list[str] = []
    try:
        for _ in range(OPERATIONS):
            operation = life.random.choice(life.operations)
            done.append(operation.__name__)
            say(f"{len(done)}. {operation.__name__}")
            operation()
            life.check()
        done.append("destroy")
        life.destroy()
        life.check()
        await_nothing_but(before, program)
    except Exception as error:
        error.add_note(f"TAILSCALE_SIDECAR_SEED={seed}, operation {len(done)}: {', '.join(done)}")
        raise
