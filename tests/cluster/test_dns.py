"""What the app can look up, on each libc's resolver, in each DNS mode."""

from __future__ import annotations

import pytest

from tailscale_sidecar import ClusterDns, InPodSplitDns, KernelNetworking, SplitDns
from tailscale_sidecar.choices.dns import Dns
from tests.support.deployment import APP, Workspace
from tests.support.kernel_modes import USERS
from tests.support.look_ups import everywhere, look_up


@pytest.mark.matrix
@USERS
@pytest.mark.parametrize("dns", [InPodSplitDns(), SplitDns(), ClusterDns()], ids=lambda dns: type(dns).__name__)
def test_the_app_finds_cluster_names_short_and_long_in_every_mode(
    workspace: Workspace, dns: Dns, networking: KernelNetworking
) -> None:
    app = workspace.deploy(dns=dns, networking=networking)
    for name in ("kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"):
        assert look_up(app, name) == everywhere("10.96.0.1")
    pod_address = app.status()["podIP"]
    assert look_up(app, f"{app.pod()}.{app.name}") == everywhere(pod_address)
    assert look_up(app, "nothing.default.svc.cluster.local") == everywhere("NXDOMAIN")


@USERS
@pytest.mark.parametrize("dns", [InPodSplitDns(), SplitDns()], ids=lambda dns: type(dns).__name__)
def test_the_app_finds_tailnet_names_where_the_mode_serves_them(
    workspace: Workspace, dns: Dns, networking: KernelNetworking
) -> None:
    app = workspace.deploy(dns=dns, networking=networking)
    device = app.device()
    assert look_up(app, device.fqdn.rstrip(".")) == everywhere(device.addresses[0])
    assert look_up(app, "nobody.lab.ts.net") == everywhere("NXDOMAIN")


def test_names_outside_cluster_and_tailnet_are_the_clusters_to_answer(workspace: Workspace) -> None:
    app = workspace.deploy(dns=InPodSplitDns())
    assert look_up(app, "known.example.test") == everywhere("192.0.2.10")


def test_another_domain_of_the_tailnet_is_asked_there(workspace: Workspace) -> None:
    app = workspace.deploy(dns=InPodSplitDns(tailnet_domains=["ts.net", "corp.example"]))
    assert look_up(app, "db.corp.example") == everywhere("100.64.9.9")


@pytest.mark.parametrize("dns", [InPodSplitDns(), SplitDns(), ClusterDns()], ids=lambda dns: type(dns).__name__)
def test_the_kubelets_search_list_and_options_are_kept(workspace: Workspace, dns: Dns) -> None:
    spec = {
        "containers": [APP],
        "dnsConfig": {"searches": ["extra.example"], "options": [{"name": "ndots", "value": "3"}]},
    }
    app = workspace.deploy(dns=dns, pod_spec=spec)
    lines = app.exec("cat", "/etc/resolv.conf").splitlines()
    own = f"{workspace.namespace}.svc.cluster.local svc.cluster.local cluster.local"
    assert f"search {own} extra.example" in lines
    assert "options ndots:3" in lines
    assert len([line for line in lines if line.startswith("nameserver")]) == 1


def test_every_container_of_the_pod_looks_up_right_init_containers_and_read_only_roots_too(
    workspace: Workspace,
) -> None:
    read_only = {"securityContext": {"readOnlyRootFilesystem": True}}
    look = "resolve-musl kubernetes.default && resolve-glibc $(hostname).lab.ts.net && resolve-go kubernetes.default"
    spec = {
        "initContainers": [{**APP, "name": "first", "command": ["sh", "-c", look], **read_only}],
        "containers": [
            APP,
            {**APP, "name": "second", "env": [{"name": "PORT", "value": "81"}], **read_only},
            {**APP, "name": "third", "env": [{"name": "PORT", "value": "82"}]},
        ],
        "terminationGracePeriodSeconds": 5,
    }
    app = workspace.deploy(pod_spec=spec)
    assert app.restarts(container="first") == 0
    for container in ("app", "second", "third"):
        assert app.exec("sh", "-c", look, container=container)


def test_looking_up_before_anything_else_never_fails(workspace: Workspace) -> None:
    look = "for i in $(seq 50); do for r in musl glibc go; do resolve-$r kubernetes.default $(hostname).lab.ts.net; done; done"
    container = {**APP, "command": ["sh", "-c", f"{look} | grep -v ' [0-9.]* (' >/www/failed; app"]}
    app = workspace.deploy(pod_spec={"containers": [container], "terminationGracePeriodSeconds": 5})
    app.wait_for("300 look-ups", lambda: "httpd" in app.exec("sh", "-c", "cat /proc/*/cmdline | tr '\\0' ' '"))
    assert app.exec("cat", "/www/failed") == ""
