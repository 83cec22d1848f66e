"""The identities survive what is done to program and stack, and `up` says before it costs anything."""

from __future__ import annotations

import json
import signal

import pytest

from tailscale_sidecar import SecretState
from tests.support.program import HEAD, Component, Program, Source, await_nothing_but, everything
from tests.support.stack import PulumiError

RETAINED = SecretState(retain_state=True)
GROUP = HEAD + "group = pulumi.ComponentResource('tests:index:Group', 'group')\n"


def identity_of(app: Component) -> tuple[dict[str, tuple[str, ...]], dict[str, str], tuple[int, int, int]]:
    """What must not change: keys, devices, Secrets, pods, and how often somebody had to log in."""
    return app.identities(), app.pods(), app.count()


def uid_of_stateful_set(app: Component) -> str:
    """Empty while there is none."""
    found = app.program.workspace.find("StatefulSet", app.name)
    return str(found["metadata"]["uid"]) if found else ""


@pytest.mark.usefixtures("released_provider")  # the one that builds does not wait for a roll-out
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
    program.up()
    assert identity_of(app) == first


def test_a_replacement_is_announced_refused_if_protected_and_after_an_interruption_made_good(program: Program) -> None:
    app = program.add(replicas=2, opts=Source("pulumi.ResourceOptions(protect=True)"))
    program.up()
    first, pods, count = identity_of(app)
    app.change(pod_management_policy="Parallel")
    program.write()
    with pytest.raises(PulumiError, match=r"unable to replace resource .*stateful-set"):
        program.stack.preview()

    del program.components[app.name]["opts"]
    program.write()
    printed = program.stack.preview()
    assert "Kubernetes cannot change podManagementPolicy of a StatefulSet" in printed
    assert "They come back as the same devices" in printed
    assert "kubernetes:apps/v1:StatefulSet: (replace)" in printed

    # While it waits for the new pods. A moment earlier, Pulumi may not know yet that it has made the StatefulSet.
    printed = program.stack.interrupt_up(lambda: bool({*app.pods().values()} - {*pods.values()}))
    assert "Kubernetes cannot change" in printed
    assert app.state_secrets().keys() == first.keys()
    program.stack.up("--refresh")
    program.stack.expect_no_changes()
    assert app.pods().keys() == pods.keys()
    assert not set(app.pods().values()) & set(pods.values())
    assert (app.identities(), app.count()) == (first, count)


def test_retained_state_outlives_destroy_and_is_picked_up_again(program: Program) -> None:
    before = everything(program)
    app = program.add(replicas=2)
    program.up()
    first, _, count = identity_of(app)
    app.change(replicas=1, state=RETAINED)
    program.write()
    with pytest.raises(PulumiError, match=r"would delete state Secrets.*retain_state=True"):
        program.stack.preview()

    app.change(replicas=2)
    program.up()
    program.stack.destroy()
    await_nothing_but(before | {f"secret/{app.name}-{ordinal}" for ordinal in (0, 1)}, program)
    program.settle()
    assert (app.identities(), app.count()) == (first, count)


HELD = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
IMPATIENT = "custom_timeouts=pulumi.CustomTimeouts(update='60s')"


def test_a_roll_out_that_is_held_back_does_not_hold_up(program: Program) -> None:
    opts = Source(f"pulumi.ResourceOptions({IMPATIENT})")
    app = program.add(replicas=2, pod_management_policy="Parallel", opts=opts)
    program.up()
    first, old, count = identity_of(app)

    app.change(update_strategy=HELD, labels={"version": "2"})
    program.settle()
    held = app.pods()
    assert {name for name in old if held[name] != old[name]} == {f"{app.name}-1"}

    app.change(update_strategy={"type": "RollingUpdate"})
    program.up()
    new = app.pods()
    assert {name for name in held if new[name] != held[name]} == {f"{app.name}-0"}

    app.change(update_strategy={"type": "OnDelete"}, labels={"version": "3"})
    program.up()
    assert identity_of(app) == (first, new, count)


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
    first, _, count = identity_of(app)
    assert count == (2, 2, 2 * 2)
    app.change(labels={"version": "2"})
    program.write()
    program.stack.up("--target=**-stateful-set")
    program.settle()
    program.workspace.kubectl("rollout", "status", f"statefulset/{app.name}", "--timeout=60s")
    assert len(app.pods()) == 2
    now = identity_of(app)
    assert (now[0], now[2]) == (first, count)

    with pytest.raises(PulumiError, match="protect"):
        program.stack.destroy()
    assert identity_of(app) == now


# Takes minutes


@pytest.mark.soak
@pytest.mark.parametrize("begun", ["deleting", "creating"])
def test_an_up_that_was_killed_while_it_replaced_is_made_good(program: Program, begun: str) -> None:
    app = program.add(replicas=2)
    program.up()
    first, replaced = app.identities(), uid_of_stateful_set(app)
    app.change(pod_management_policy="Parallel")
    program.write()
    moments = {
        "deleting": lambda: is_being_deleted(app),
        "creating": lambda: uid_of_stateful_set(app) not in (replaced, ""),
    }
    program.stack.interrupt_up(moments[begun], signal.SIGKILL)
    program.stack.pulumi("cancel", "--yes")
    if begun == "creating":  # Pulumi does not know of it
        with pytest.raises(PulumiError, match="already exists"):
            program.stack.up()
        program.workspace.kubectl("rollout", "status", f"statefulset/{app.name}", "--timeout=60s")
        pods = app.pods()
        program.workspace.kubectl("delete", "statefulset", app.name, "--cascade=orphan")
        program.stack.up()
        assert app.pods() == pods
    program.settle()
    assert app.identities() == first


def is_being_deleted(app: Component) -> bool:
    found = app.program.workspace.find("StatefulSet", app.name)
    return found is None or "deletionTimestamp" in found["metadata"]


@pytest.mark.soak
def test_what_pulumi_forgot_is_imported_with_its_pods_and_devices(program: Program) -> None:
    app = program.add(replicas=2)
    program.up()
    first = identity_of(app)
    forget_everything(program)

    stack, file = program.stack, program.stack.project / "import.json"
    stack.pulumi("preview", f"--import-file={file}")
    listed = json.loads(file.read_text(encoding="utf-8"))
    suffixes = {"auth": "-auth", "state-0": "-0", "state-1": "-1"}
    for resource in listed["resources"]:
        if "id" in resource:
            suffix = suffixes.get(resource["name"].removeprefix(f"{app.name}-"), "")
            resource["id"] = f"{program.workspace.namespace}/{app.name}{suffix}"
    file.write_text(json.dumps(listed), encoding="utf-8")
    stack.pulumi("import", f"--file={file}", "--yes", "--skip-preview", "--protect=false", "--generate-code=false")
    program.settle()
    assert identity_of(app) == first

    stack.refresh()
    app.change(labels={"version": "2"})
    program.settle()
    assert app.identities() == first[0]


ADOPTING = HEAD + "provider = k8s.Provider('own', upsert_existing_objects=True, enable_patch_force=True)\n"


@pytest.mark.soak
def test_what_pulumi_forgot_is_adopted_by_a_provider_that_may(program: Program) -> None:
    app = program.add(replicas=2)
    program.up()
    first = identity_of(app)
    forget_everything(program)
    program.head = ADOPTING
    app.change(opts=Source("pulumi.ResourceOptions(provider=provider)"))
    program.settle()
    assert identity_of(app) == first

    program.head = HEAD
    app.change(opts=None)
    program.settle()
    assert identity_of(app) == first


def forget_everything(program: Program) -> None:
    """Leaves the stack with nothing, as somebody does who lost it, and the cluster as it is."""
    state = json.loads(program.stack.pulumi("stack", "export"))
    state["deployment"]["resources"] = []
    program.stack.pulumi("stack", "import", stdin=json.dumps(state))


@pytest.mark.soak
def test_retained_state_is_handed_over_to_the_sidecars_and_taken_back_and_goes_if_no_longer_retained(
    program: Program,
) -> None:
    before = everything(program)
    app = program.add(replicas=2)
    program.up()
    first = identity_of(app)
    app.change(state=SecretState(access="guarded"))
    program.write()
    with pytest.raises(PulumiError, match=r"would delete state Secrets.*retain_state=True"):
        program.stack.preview()
    for state in (RETAINED, SecretState(access="guarded"), RETAINED):
        app.change(state=state)
        program.settle()
        program.stack.refresh()
        program.stack.expect_no_changes()
        assert identity_of(app) == first

    program.stack.destroy()
    app.change(state=SecretState())
    with pytest.raises(PulumiError, match="already exists"):
        program.up()
    app.change(state=RETAINED)
    program.up()
    app.change(replicas=1, labels={"version": "2"})
    program.settle()
    assert set(app.state_secrets()) == {f"{app.name}-{ordinal}" for ordinal in range(2)}
    app.change(replicas=2)
    program.settle()
    app.change(state=SecretState(), labels={"version": "3"})
    program.settle()
    assert app.identities() == first[0]
    program.stack.destroy()
    await_nothing_but(before, program)
