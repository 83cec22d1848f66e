"""What `pulumi up`, `refresh` and `destroy` do to the replicas' identities."""

from __future__ import annotations

from tailscale_sidecar import SecretState

from .program import Program, await_nothing_left, everything


def test_a_replica_keeps_its_identity_through_all_commands_until_it_is_removed(program: Program) -> None:
    before = everything(program.workspace)
    app = program.add(replicas=2)
    program.up()
    first = app.identities()
    assert len(first) == 2

    app.change(labels={"tier": "web"})
    program.up()
    assert app.identities() == first

    program.stack.refresh()
    program.stack.expect_no_changes()
    app.change(labels={"tier": "database"})
    program.up()
    assert app.identities() == first

    pods = app.pods()
    app.change(replicas=3)
    program.up()
    grown = app.identities()
    assert len(grown) == 3
    assert grown.items() > first.items()
    assert app.pods().items() > pods.items(), "a scale-up harms no pod"

    app.change(replicas=1)
    program.up()
    assert app.identities() == {name: first[name] for name in sorted(first)[:1]}

    program.stack.destroy()
    await_nothing_left(program.workspace, before)
