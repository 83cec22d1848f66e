"""A stack that an earlier build deployed becomes this one's by `up`: the same devices, and nothing replaced but pods."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tailscale_sidecar import InPodSplitDns, SecretState, UserspaceNetworking
from tailscale_sidecar.pod.contract import TAILSCALE_IMAGE
from tests.support.cleanup_credential import Credential
from tests.support.program import Component, Program, await_nothing_but, everything

pytestmark = pytest.mark.wide

OBJECTS = ("StatefulSet", "Service", "ServiceAccount", "Role", "RoleBinding", "Secret")


def test_an_upgrade_keeps_devices_and_objects_and_replaces_each_pod_once(program: Program, earlier_build: Path) -> None:
    before, credential = everything(program), Credential.create(program.workspace.tailnet)
    image = {"image": TAILSCALE_IMAGE}  # the earlier build's own default is another, which the lab does not have
    app = program.add(replicas=2, dns=InPodSplitDns(), device_cleanup=credential.argument(), **image)
    guarded = program.add("guarded", networking=UserspaceNetworking(), state=SecretState(access="guarded"), **image)
    apps = (app, guarded)
    program.write()
    replace(program.stack, environment={**program.stack.environment, "PYTHONPATH": str(earlier_build)}).up()
    for component in apps:
        await_rolled_out(component)
    identities, counts = [a.identities() for a in apps], [a.count() for a in apps]
    pods, objects = [a.pods() for a in apps], uids(program)

    changed = ("role", "stateful-set")
    assert program.stack.planned() == {f"{a.name}-{part}": "update" for a in apps for part in changed}
    program.stack.up()
    for component in apps:
        await_rolled_out(component)
    assert [a.identities() for a in apps] == identities
    assert [a.count() for a in apps] == counts, "nobody logged in again"
    assert uids(program) == objects
    for component, old in zip(apps, pods, strict=True):
        assert component.pods().keys() == old.keys()
        assert not {*component.pods().values()} & {*old.values()}
    assert len(revisions(program)) == 2 * len(apps), "nothing came between the old pods and the new ones"
    program.stack.expect_no_changes()

    program.stack.destroy()
    assert app.devices() == []
    await_nothing_but(before | {f"secret/{guarded.name}-0"}, program)


def await_rolled_out(app: Component) -> None:
    """Waits until all pods are of the last template and ready: not every provider does."""
    app.program.workspace.kubectl("rollout", "status", f"statefulset/{app.name}", "--timeout=120s")


def revisions(program: Program) -> list[str]:
    """The pod templates that the StatefulSets ever had."""
    return program.workspace.kubectl("get", "controllerrevisions", "--output=name").split()


def uids(program: Program) -> dict[tuple[str, str], str]:
    """The UID of each object of the component, by kind and name: another one's would be another object's."""
    found = [(kind, found["metadata"]) for kind in OBJECTS for found in program.workspace.find_all(kind)]
    return {(kind, metadata["name"]): metadata["uid"] for kind, metadata in found}
