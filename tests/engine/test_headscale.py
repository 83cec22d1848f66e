"""On a Headscale: nodes as outputs of the program, and gone with their replicas."""

from __future__ import annotations

import pytest

from tests.lab.headscale_server import DOMAIN, Headscale
from tests.support.hidden import assert_hidden, state_files
from tests.support.program import Program, Source, await_nothing_but, everything

pytestmark = pytest.mark.wide

TAIL = """\
pulumi.export("devices", components[{name!r}].devices)
"""


def test_nodes_are_outputs_of_the_program_and_go_with_their_replicas(program: Program, headscale: Headscale) -> None:
    before = everything(program)
    app = program.add(
        replicas=2,
        login_server=headscale.url,
        auth=Source(f"AuthKey(auth_key={headscale.auth_key(reusable=True)!r})"),
        tags=[],
        dns=Source(f"InPodSplitDns(tailnet_domains=[{DOMAIN!r}])"),
        device_cleanup=Source(f"DeviceCleanup(headscale_api_key={headscale.api_key!r})"),
    )
    program.tail = TAIL.format(name=app.name)
    program.settle()
    first, second = headscale.devices(app.name)
    shown = [(d["device_id"], d["fqdn"], d["ipv4"], d["ipv6"]) for d in program.stack.outputs()["devices"]]
    assert shown == [(node.id, node.fqdn, *node.addresses) for node in (first, second)]
    assert_hidden(headscale.api_key, state_files(program), "the state")

    app.change(replicas=1)
    program.settle()
    assert [node.id for node in headscale.devices(app.name)] == [first.id]
    program.stack.destroy()
    assert headscale.devices(app.name) == []
    await_nothing_but(before, program)
