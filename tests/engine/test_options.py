"""Pulumi's resource options on the component."""

from __future__ import annotations

from dataclasses import replace

from tailscale_sidecar import SecretState
from tests.support.program import HEAD, Program, Source, await_nothing_but, everything

PROVIDERS = """\
provider = k8s.Provider("users-own", kubeconfig={kubeconfig!r}, namespace='{namespace}')
made = k8s.core.v1.Namespace("made", metadata={{"name": "{namespace}-made"}}, opts=pulumi.ResourceOptions(provider=provider))
"""


def test_a_preview_needs_no_cluster(program: Program) -> None:
    program.stack = replace(program.stack, environment={**program.stack.environment, "KUBECONFIG": "/nowhere"})
    app = program.add(namespace=None, state=SecretState(access="guarded"))
    program.write()
    planned = program.stack.planned()
    assert len([name for name in planned if name.startswith(f"{app.name}-")]) == 8
    assert set(planned.values()) == {"create"}


def test_the_users_provider_and_namespace_reach_all_resources(program: Program) -> None:
    workspace = program.workspace
    before = everything(program)
    kubeconfig = str(workspace.lab.kubeconfig)
    program.head = HEAD + PROVIDERS.format(kubeconfig=kubeconfig, namespace=workspace.namespace)
    elsewhere = {**program.stack.environment, "KUBECONFIG": "/nowhere"}  # the default provider would fail
    program.stack = replace(program.stack, environment=elsewhere)
    one = Source("pulumi.ResourceOptions(provider=provider)")
    several = Source("pulumi.ResourceOptions(providers=[provider])")
    app = program.add("app", opts=one, namespace=None)
    guarded = SecretState(access="guarded")  # has cluster-scoped resources too
    other = program.add("other", opts=several, namespace=Source("made.metadata['name']"), state=guarded)
    program.settle()

    resources = program.stack.export()
    children = [r for r in resources.values() if r["type"].startswith("kubernetes:")]
    assert len(children) == 1 + 7 + 8, "the namespace, and what the two components consist of"
    assert all("::users-own::" in child["provider"] for child in children)
    assert app.pods().keys() == {f"{app.name}-0"}
    namespaced = [r for name, r in resources.items() if name.startswith(other.name) and "/" in r.get("id", "")]
    assert {r["id"].partition("/")[0] for r in namespaced} == {f"{workspace.namespace}-made"}
    assert {device.online for device in other.devices()} == {True}
    assert app.count() == (1, 1, 2 * 2)

    program.stack.destroy()
    await_nothing_but(before, program)
