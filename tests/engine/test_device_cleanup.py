"""Which devices are on the tailnet after replicas went, and what was asked of the API to get there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tailscale_sidecar import SecretState
from tailscale_sidecar.clients.tailscale import PAUSES
from tests.lab import Lab
from tests.lab.tailnet_client import Tailnet
from tests.support.cleanup_credential import Credential
from tests.support.deployment import Workspace
from tests.support.hidden import assert_hidden, state_files
from tests.support.program import Component, Program, await_nothing_but, everything
from tests.support.pulumi_cli import PulumiCli
from tests.support.stack import PulumiError, Stack

FORGET_DEVICE_ID = '[{"op": "remove", "path": "/data/device_id"}]'


def device_ids(app: Component) -> dict[str, str]:
    """What the state Secrets say."""
    return {pod: data["device_id"] for pod, data in app.state_secrets().items() if "device_id" in data}


def on_the_tailnet(tailnet: Tailnet, *device_ids: str) -> set[str]:
    """Which of these devices are there."""
    return {device.id for device in tailnet.devices()} & set(device_ids)


def registrations(app: Component) -> int:
    """How many devices the app's replicas ever were, with those that are no more."""
    tailnet = app.program.workspace.tailnet
    return len([d for d in tailnet.call("GET", "/lab/devices?all=1") if d["hostname"].startswith(app.name)])


def test_replicas_that_go_take_their_devices_with_them_and_no_others(
    program: Program, cli: PulumiCli, lab: Lab, tailnet: Tailnet, tmp_path: Path
) -> None:
    before, credential = everything(program), Credential.create(tailnet)
    app = program.add(replicas=3, device_cleanup=credential.argument(), pod_management_policy="Parallel")
    with Workspace.temporary(lab, tailnet) as elsewhere:
        # Another stack on the same tailnet, whose pods, and so devices, ask for the same names.
        (tmp_path / "other").mkdir()
        other = Program.create(elsewhere, cli, tmp_path / "other")
        arguments = {
            "namespace": elsewhere.namespace,
            "replicas": 2,
            "device_cleanup": credential.argument(retain=True),
        }
        other.components[app.name] = {**program.components[app.name], **arguments}
        with ThreadPoolExecutor() as pool:
            list(pool.map(Program.up, (program, other)))
        first, second, third = device_ids(app).values()
        others = device_ids(Component(other, app.name)).values()
        assert len(on_the_tailnet(tailnet, first, second, third, *others)) == 5
        assert credential.calls() == [], "the API is not asked before a replica goes"

        app.change(replicas=1)
        program.up()
        assert on_the_tailnet(tailnet, first, second, third, *others) == {first, *others}
        assert app.state_secrets().keys() == {f"{app.name}-0"}
        deletions = [[("GET", device), ("DELETE", device)] for device in (second, third)]
        assert sorted(credential.calls()) == sorted([("POST", "token"), *deletions[0], *deletions[1]])
        program.stack.expect_no_changes()

        other.stack.destroy()
        assert on_the_tailnet(tailnet, first, *others) == {first, *others}, "they are retained, as asked for"
        with tailnet.fault(target=f"/api/v2/device/{first}", status=503, count=2):
            program.stack.destroy()
        assert on_the_tailnet(tailnet, first, *others) == set(others)
        assert registrations(app) == 5, "no device was deleted under a running pod, which would have come back"
        await_nothing_but(before, program)


def test_a_clean_up_that_failed_keeps_what_it_needs_and_ends_well_when_it_is_run_again(
    program: Program, tailnet: Tailnet, tmp_path: Path
) -> None:
    workspace, credential = program.workspace, Credential.create(tailnet)
    before = everything(program)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(workspace.lab.kubeconfig.read_bytes())
    app = program.add(
        replicas=2, device_cleanup=credential.argument(kubeconfig=str(kubeconfig)), pod_management_policy="Parallel"
    )
    printed = program.up()
    first, second = device_ids(app).values()
    workspace.kubectl("patch", "secret", f"{app.name}-1", "--type=json", "--patch", FORGET_DEVICE_ID)
    kubeconfig.unlink()
    credential.revoke()

    with pytest.raises(PulumiError) as failure:
        program.stack.destroy()
    printed += str(failure.value)
    assert f"left on the tailnet: the device of {workspace.namespace}/{app.name}-0: the kubeconfig" in printed
    with pytest.raises(PulumiError) as failure:
        with_environment(program, KUBECONFIG=str(workspace.lab.kubeconfig)).destroy()
    printed += str(failure.value)
    assert f"left on the tailnet: device {first} of {workspace.namespace}/{app.name}-0: POST" in printed
    assert "401 API token invalid" in printed
    assert on_the_tailnet(tailnet, first, second) == {first, second}
    assert app.state_secrets().keys() == {f"{app.name}-0", f"{app.name}-1"}
    assert app.pods() == {}
    assert_hidden(credential.secret, printed, "what Pulumi printed")
    assert_hidden(credential.secret, state_files(program), "the state")

    other = Credential.create(tailnet)
    with_environment(program, KUBECONFIG=str(workspace.lab.kubeconfig), CLIENT_SECRET=other.secret).destroy()
    assert on_the_tailnet(tailnet, first, second) == set()
    assert sorted(other.calls()) == sorted(
        [("POST", "token"), ("GET", first), ("GET", "devices"), ("DELETE", first), ("DELETE", second)]
    )
    await_nothing_but(before, program)


@pytest.mark.soak
def test_an_api_that_stays_away_fails_the_destroy_and_the_next_one_ends_well(
    program: Program, tailnet: Tailnet
) -> None:
    before, credential = everything(program), Credential.create(tailnet)
    app = program.add(device_cleanup=credential.argument())
    program.up()
    (device,) = device_ids(app).values()
    path = f"/api/v2/device/{device}"
    with tailnet.fault(target=path, status=503), pytest.raises(PulumiError) as failure:
        program.stack.destroy()
    left = f"left on the tailnet: device {device} of {program.workspace.namespace}/{app.name}-0: GET {tailnet.url}{path}: 503"
    assert left in str(failure.value)
    assert len(tailnet.requests(path)) == 1 + len(PAUSES)
    assert app.count() == (1, 1, 2)

    program.stack.destroy()
    assert app.count() == (0, 0, 2)
    assert len(tailnet.requests(path)) == 1 + len(PAUSES) + 2
    await_nothing_but(before, program)


@pytest.mark.soak
def test_a_device_that_nothing_tells_for_sure_is_named_and_left_alone(program: Program, tailnet: Tailnet) -> None:
    before, credential = everything(program), Credential.create(tailnet)
    app = program.add(device_cleanup=credential.argument())
    program.up()
    program.workspace.kubectl("delete", "secret", f"{app.name}-0")
    with pytest.raises(PulumiError) as failure:
        program.stack.destroy()
    pod = f"{program.workspace.namespace}/{app.name}-0"
    assert f"left on the tailnet: the device of {pod}: its state Secret is not there" in str(failure.value)
    assert "TAILSCALE_SIDECAR_CLEANUP_RETAIN=true leaves the device where it is" in str(failure.value)

    with_environment(program, RETAIN="true").destroy()
    assert app.count() == (1, 0, 2)
    assert credential.calls() == []
    await_nothing_but(before, program)


@pytest.mark.soak
def test_room_to_scale_keeps_no_device_of_a_replica_that_went_and_leaves_none_at_destroy(
    program: Program, tailnet: Tailnet
) -> None:
    workspace, cleanup = program.workspace, Credential.create(tailnet).argument()
    before = everything(program)
    app = program.add(replicas=2, state=SecretState(max_replicas=3), device_cleanup=cleanup)
    program.settle()
    first, second = device_ids(app).values()

    app.change(replicas=1)
    program.settle()
    assert on_the_tailnet(tailnet, first, second) == {first}
    assert device_ids(app)[f"{app.name}-1"] == second, "there is room for it, so its state stays"

    app.change(replicas=2)
    program.settle()
    returned = device_ids(app)[f"{app.name}-1"]
    assert returned != second
    assert on_the_tailnet(tailnet, first, returned) == {first, returned}

    workspace.kubectl("scale", f"statefulset/{app.name}", "--replicas=3")
    workspace.kubectl("rollout", "status", f"statefulset/{app.name}", "--timeout=120s")
    app.change(device_cleanup=None)
    program.up()
    ids = device_ids(app).values()
    assert len(ids) == 3
    assert on_the_tailnet(tailnet, *ids) == set(ids), "without a clean-up, all that runs keeps its device"

    app.change(device_cleanup=cleanup)
    program.up()
    program.stack.destroy()
    assert on_the_tailnet(tailnet, *ids) == set()
    await_nothing_but(before, program)


@pytest.mark.soak
@pytest.mark.parametrize("access", ["guarded", "open"])
def test_a_state_secret_that_stays_gets_a_new_device_at_the_next_up(
    program: Program, tailnet: Tailnet, access: Literal["guarded", "open"]
) -> None:
    state = SecretState(access=access, max_replicas=2)
    app = program.add(state=state, device_cleanup=Credential.create(tailnet).argument())
    program.tail = f"pulumi.export('devices', components[{app.name!r}].devices)"
    program.up()
    (first,) = device_ids(app).values()
    program.stack.destroy()
    assert on_the_tailnet(tailnet, first) == set()
    program.settle()
    (second,) = device_ids(app).values()
    assert second != first
    assert [device["device_id"] for device in program.stack.outputs()["devices"]] == [second]
    program.stack.destroy()
    assert app.devices() == []


def with_environment(program: Program, **overrides: str) -> Stack:
    """The stack, with variables that take precedence over what is in its state."""
    given = {f"TAILSCALE_SIDECAR_CLEANUP_{name}": value for name, value in overrides.items()}
    return replace(program.stack, environment={**program.stack.environment, **given})
