"""The output `devices`: right after each `up`, and unknown before one that changes them."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.support.program import HEAD, PROJECT, Component, Program, Source
from tests.support.virtualenv import virtualenv

PROVIDER = """\
provider = k8s.Provider("users-own", kubeconfig=pulumi.Output.secret(open({kubeconfig!r}).read()), namespace={namespace!r})
"""
TAIL = """\
devices = components[{name!r}].devices
pulumi.export("devices", devices)
last = devices.apply(lambda found: found[-1])
k8s.core.v1.ConfigMap(
    "record",
    metadata={{"name": "record"}},
    data={{"cname": devices[0].fqdn, "a": last["ipv4"], "aaaa": last.ipv6}},
    opts=pulumi.ResourceOptions(provider=provider),
)
"""
OTHER_STACK = """\
import pulumi

devices = pulumi.StackReference("organization/engine/lab").get_output("devices")
pulumi.export("first", devices[0])
"""
RECORD = re.compile(r"^ +[+~]? ?(?:a|aaaa|cname) *: (?:\S+ => )?(\S+)$", re.MULTILINE)
"""What a preview says that the fields of `record` will be."""


def test_devices_are_those_of_the_replicas_after_each_up_and_unknown_before_it(program: Program) -> None:
    workspace = program.workspace
    kubeconfig = str(workspace.lab.kubeconfig)
    program.head = HEAD + PROVIDER.format(kubeconfig=kubeconfig, namespace=workspace.namespace)
    # The way to the cluster is the provider's: the ambient one leads nowhere.
    program.stack = replace(program.stack, environment={**program.stack.environment, "KUBECONFIG": "/nowhere"})
    app = program.add(opts=Source("pulumi.ResourceOptions(provider=provider)"), namespace=None, replicas=1)
    program.tail = TAIL.format(name=app.name)
    program.up()
    assert_devices(app)
    assert app.count() == (1, 1, 2), "to read them asks nothing of Tailscale's API"
    resources = program.stack.export()
    assert "ciphertext" not in str(resources["record"]["outputs"]["data"]), "no secret, though the kubeconfig is one"

    assert seen_by_another_stack(program) == program.stack.outputs()["devices"][0]

    app.change(replicas=2)
    program.write()
    preview = program.stack.preview()
    assert RECORD.findall(preview) == ["[unknown]"] * 3, preview
    program.settle()  # a preview that changes nothing knows the devices
    assert_devices(app)
    assert len(program.stack.export()) == len(resources) + 1, (
        "the new replica's state Secret, and nothing for its device"
    )

    app.change(replicas=1)
    program.up()
    assert_devices(app)
    assert app.count() == (2, 1, 2 * 2), "without device_cleanup, the second one's device stays"


def seen_by_another_stack(program: Program) -> object:
    """The first device, in a stack that has a reference to the program's."""
    other = replace(program.stack, project=program.stack.project.parent / "other")
    other.project.mkdir()
    (other.project / "Pulumi.yaml").write_text(
        PROJECT.format(virtualenv=virtualenv()).replace("engine", "other"), encoding="utf-8"
    )
    (other.project / "__main__.py").write_text(OTHER_STACK, encoding="utf-8")
    other.init()
    other.up()
    return other.outputs()["first"]


def assert_devices(app: Component) -> None:
    """Fails unless the exported devices, and what a resource made of them, are what the tailnet has."""
    replicas = [f"{app.name}-{ordinal}" for ordinal in range(app.replicas)]
    online = {device.hostname: device for device in app.devices() if device.hostname in replicas}
    expected = [
        {
            "pod": pod,
            "device_id": online[pod].id,
            "fqdn": online[pod].fqdn.rstrip("."),
            "ipv4": online[pod].addresses[0],
            "ipv6": online[pod].addresses[1],
        }
        for pod in replicas
    ]
    assert app.program.stack.outputs()["devices"] == expected
    record = app.program.workspace.get("ConfigMap", "record")["data"]
    assert record == {"cname": expected[0]["fqdn"], "a": expected[-1]["ipv4"], "aaaa": expected[-1]["ipv6"]}
