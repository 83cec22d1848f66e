"""The identities survive what is done to program and stack, and `up` says before it costs anything."""

from __future__ import annotations

import pytest

from tailscale_sidecar import SecretState

from .program import HEAD, Component, Program, Source, await_nothing_but, everything
from .stack import PulumiError

RETAINED = SecretState(retain_state=True)
GROUP = HEAD + "group = pulumi.ComponentResource('tests:index:Group', 'group')\n"


def identity_of(app: Component) -> tuple[object, ...]:
    """What must not change: keys, devices, pods, and how often somebody had to log in."""
    return app.identities(), app.pods(), app.program.credential_requests()


def test_a_component_that_is_renamed_and_moved_keeps_its_pods_and_devices(program: Program) -> None:
    app = program.add(replicas=2)
    program.up()
    first = identity_of(app)

    app.change(pulumi_name="renamed", opts=Source(f"pulumi.ResourceOptions(aliases=[pulumi.Alias(name={app.name!r})])"))
    program.write()
    with pytest.raises(PulumiError, match=f"name changes from '{app.name}' to 'renamed'.*Keep name='{app.name}'"):
        program.stack.preview()

    alias = f"pulumi.Alias(name={app.name!r}, parent=pulumi.ROOT_STACK_RESOURCE)"
    app.change(name=app.name, opts=Source(f"pulumi.ResourceOptions(parent=group, aliases=[{alias}])"))
    program.head = GROUP
    program.write()
    assert program.stack.planned() == {"group": "create"}
    program.settle()
    assert identity_of(app) == first

    app.change(pulumi_name="forgot-the-alias", opts=None)
    with pytest.raises(PulumiError, match="already exists"):
        program.up()
    app.change(pulumi_name="renamed", opts=Source("pulumi.ResourceOptions(parent=group)"))
    program.settle()
    assert identity_of(app) == first


def test_a_replacement_is_announced_refused_if_protected_and_after_an_interruption_made_good(program: Program) -> None:
    app = program.add(replicas=2, opts=Source("pulumi.ResourceOptions(protect=True)"))
    program.up()
    first, pods = app.identities(), app.pods()
    app.change(pod_management_policy="Parallel")
    program.write()
    with pytest.raises(PulumiError, match=r"unable to replace resource .*stateful-set"):
        program.stack.preview()

    del program.components[app.name]["opts"]
    program.write()
    printed = program.stack.preview()
    assert "Kubernetes cannot change podManagementPolicy of a StatefulSet" in printed
    assert "They come back as the same devices" in printed
    assert program.stack.planned() == {app.name: "update", f"{app.name}-stateful-set": "replace"}

    printed = program.stack.interrupt_up(lambda: not app.pods().keys() & pods.keys())
    assert app.state_secrets().keys() == first.keys(), printed
    program.stack.up("--refresh")
    program.stack.expect_no_changes()
    assert app.pods().keys() == pods.keys()
    assert not set(app.pods().values()) & set(pods.values())
    assert app.identities() == first


def test_retained_state_outlives_destroy_and_is_picked_up_again(program: Program) -> None:
    before = everything(program)
    app = program.add(replicas=2)
    program.up()
    first = identity_of(app)
    app.change(replicas=1, state=RETAINED)
    program.write()
    with pytest.raises(PulumiError, match=r"would delete state Secrets.*retain_state=True"):
        program.stack.preview()

    app.change(replicas=2)
    program.settle()
    assert identity_of(app) == first
    program.stack.refresh()
    program.stack.expect_no_changes()
    program.stack.destroy()
    await_nothing_but(before | {f"secret/{name}" for name in app.state_secrets()}, program)
    assert len(app.state_secrets()) == 2

    app.change(state=SecretState())
    with pytest.raises(PulumiError, match="already exists"):
        program.up()
    app.change(state=RETAINED)
    program.settle()
    assert (app.identities(), program.credential_requests()) == (first[0], first[2])

    app.change(state=SecretState(), labels={"tier": "web"})
    program.settle()
    assert app.identities() == first[0]
    program.stack.destroy()
    await_nothing_but(before, program)


HELD = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
IMPATIENT = "custom_timeouts=pulumi.CustomTimeouts(update='60s')"


def test_a_roll_out_that_is_held_back_does_not_hold_up(program: Program) -> None:
    opts = Source(f"pulumi.ResourceOptions({IMPATIENT})")
    app = program.add(replicas=2, pod_management_policy="Parallel", opts=opts)
    program.up()
    old, first = app.pods(), app.identities()

    app.change(update_strategy=HELD, labels={"version": "2"})
    program.settle()
    held = app.pods()
    assert {name for name in old if held[name] != old[name]} == {f"{app.name}-1"}

    app.change(update_strategy={"type": "RollingUpdate"})
    program.settle()
    new = app.pods()
    assert {name for name in held if new[name] != held[name]} == {f"{app.name}-0"}

    app.change(update_strategy={"type": "OnDelete"}, labels={"version": "3"})
    program.settle()
    assert app.pods() == new
    assert app.identities() == first


TRANSFORMS = (
    HEAD
    + """
def to_autoscaled(args):
    if args.type_ == "kubernetes:apps/v1:StatefulSet":
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(ignore_changes=["spec.replicas"]))
        return pulumi.ResourceTransformResult(args.props, opts)

def with_owner(args):
    if args.type_.startswith("kubernetes:"):
        metadata = {**args.props["metadata"], "annotations": {"owner": "team"}}
        return pulumi.ResourceTransformResult({**args.props, "metadata": metadata}, args.opts)

"""
)


def test_transforms_and_options_of_the_component_reach_its_resources(program: Program) -> None:
    program.head = TRANSFORMS
    opts = Source("pulumi.ResourceOptions(transforms=[to_autoscaled, with_owner], protect=True)")
    app = program.add(opts=opts, state=SecretState(max_replicas=2))
    program.up()
    children = {n: r for n, r in program.stack.export().items() if n.startswith(f"{app.name}-")}
    assert len(children) == 8
    for name, child in children.items():
        assert child["outputs"]["metadata"]["annotations"]["owner"] == "team", name
        assert child["protect"], name

    program.workspace.kubectl("scale", f"statefulset/{app.name}", "--replicas=2")
    program.workspace.kubectl("rollout", "status", f"statefulset/{app.name}", "--timeout=60s")
    first = app.identities()
    assert len(first) == 2
    app.change(labels={"version": "2"})
    program.settle()
    assert len(app.pods()) == 2
    assert app.identities() == first

    with pytest.raises(PulumiError, match="protect"):
        program.stack.destroy()
    assert app.identities() == first
    program.stack.pulumi("state", "unprotect", "--all", "--yes")
