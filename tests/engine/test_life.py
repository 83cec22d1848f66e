"""What `pulumi up`, `refresh` and `destroy` do to the replicas' identities."""

from __future__ import annotations

import pytest

from tailscale_sidecar import SecretState
from tests.support.program import Program, await_nothing_but, everything


@pytest.mark.usefixtures("released_provider")  # the one that builds does not wait for a roll-out
def test_a_replica_keeps_its_identity_through_all_commands_until_it_is_removed(program: Program) -> None:
    before = everything(program)
    app = program.add(replicas=2)
    program.up()
    first = app.identities()
    assert app.count() == (2, 2, 2 * 2)

    app.change(labels={"tier": "web"})
    program.up()
    assert app.identities() == first, "the label rolled the pods"
    assert app.count() == (2, 2, 2 * 2)

    pods = app.pods()
    app.change(replicas=3)
    program.settle()
    grown = app.identities()
    assert app.count() == (3, 3, 3 * 2)
    assert grown.items() > first.items()
    assert app.pods().items() > pods.items(), "a scale-up harms no pod"

    program.stack.refresh()
    program.stack.expect_no_changes()
    app.change(replicas=1, labels={"tier": "database"})
    program.settle()
    assert app.identities() == dict([min(first.items())]), "the Secrets of removed replicas are gone"
    assert app.count() == (3, 1, 3 * 2), "without device_cleanup, the devices stay"

    program.stack.destroy()
    await_nothing_but(before, program)
    assert app.count() == (3, 0, 3 * 2)


def test_state_secrets_that_sidecars_made_outlive_destroy_and_keep_the_devices(program: Program) -> None:
    before = everything(program)
    apps = [program.add(access, state=SecretState(access=access)) for access in ("guarded", "open")]
    program.up()
    first = [app.identities() for app in apps]
    for app in apps:
        app.change(replicas=2)
    program.up()
    grown = [app.identities() for app in apps]
    assert all(len(now) == 2 and now.items() > then.items() for now, then in zip(grown, first, strict=True))

    program.stack.destroy()
    kept = {f"secret/{app.name}-{ordinal}" for app in apps for ordinal in (0, 1)}
    await_nothing_but(before | kept, program)
    program.settle()
    assert [app.identities() for app in apps] == grown
    program.stack.destroy()  # the admission policy belongs to no namespace, with which it would go
