"""The sidecar in workloads that charts, YAML and other programs describe, on a real engine, cluster and tailnet."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tailscale_sidecar.pod.contract import SERVICE_ACCOUNT_DIR
from tests.lab import Lab, LabError
from tests.lab.images import APP_IMAGE
from tests.lab.shell import wait_for
from tests.lab.tailnet_client import Device
from tests.support.cleanup_credential import Credential
from tests.support.deployment import Deployment, Workspace
from tests.support.doctor import doctor
from tests.support.examples import PROGRAMS
from tests.support.look_ups import RESOLVERS
from tests.support.program import Program
from tests.support.sidecar import Sidecar, identity
from tests.support.stack import PulumiError

CHART = Path(__file__).parents[1] / "support/chart"
SIDECAR = """\
def sidecar(name, **arguments):
    least = dict(
        workload=name,
        namespace={namespace!r},
        auth=OAuthClient(client_secret=config.get_secret("clientSecret")),
        login_server={login_server!r},
        tags=["tag:k8s"],
        env={{"TS_NO_LOGS_NO_SUPPORT": "true"}},
    )
    return TailscaleSidecar(name, TailscaleSidecarArgs(**{{**least, **arguments}}))

def opts(*sidecars):
    return pulumi.ResourceOptions(transforms=[one.transform for one in sidecars])
"""


@dataclass(frozen=True)
class Injected:
    """A program whose workloads are others'."""

    program: Program

    @property
    def workspace(self) -> Workspace:
        """The namespace that it deploys to."""
        return self.program.workspace

    def up(self, source: str) -> str:
        """Deploys what the source makes."""
        self.write(source)
        return self.program.stack.up()

    def write(self, source: str) -> None:
        """Writes the program with this source; `namespace` is a variable of it."""
        head = SIDECAR.format(namespace=self.workspace.namespace, login_server=self.workspace.tailnet.url)
        self.program.tail = f"namespace = {self.workspace.namespace!r}\n{head}{source}"
        self.program.write()

    def rolled_out(self, kind: str, name: str) -> dict[str, Any]:
        """The workload, once all its pods are new and ready."""
        self.workspace.kubectl("rollout", "status", f"{kind.lower()}/{name}", "--timeout=180s")
        found: dict[str, Any] = json.loads(self.workspace.kubectl("get", kind, name, "--output=json"))
        return found

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The workload's pods that do not end."""
        return [
            pod
            for pod in self.workspace.find_all("Pod")
            if pod["metadata"]["name"].startswith(name) and "deletionTimestamp" not in pod["metadata"]
        ]

    def online(self, prefix: str) -> list[Device]:
        """The devices of that name that are connected."""
        return [device for device in self.workspace.tailnet.devices(prefix) if device.online]


@pytest.fixture
def injected(program: Program) -> Injected:
    """An empty program."""
    return Injected(program)


def unique(name: str) -> str:
    """A name that no other test's devices have."""
    return f"{name}-{secrets.token_hex(2)}"


def chart(name: str, *, sidecar: bool) -> str:
    """The tests' chart, with and without the sidecar."""
    made = (
        f"one = sidecar({name!r}, kind='StatefulSet', replicas=2, service_account_name={name!r}, "
        "dns=InPodSplitDns(tailnet_domains=['lab.ts.net']))\n"
    )
    options = ", opts=opts(one)" if sidecar else ""
    return f"{made if sidecar else ''}k8s.helm.v4.Chart({name!r}, chart={str(CHART)!r}, namespace=namespace{options})\n"


def test_a_charts_replicas_are_devices_that_last_and_without_the_transform_it_is_as_before(
    injected: Injected, lab: Lab
) -> None:
    name = unique("store")
    lab.add_volumes(2)
    injected.up(chart(name, sidecar=False))
    before = injected.rolled_out("StatefulSet", name)["spec"]

    printed = injected.up(chart(name, sidecar=True))
    assert "its pods restart, because they get the Tailscale sidecar" in printed
    injected.rolled_out("StatefulSet", name)
    injected.program.stack.expect_no_changes()
    app = Deployment(injected.workspace, name, {"replicas": 2})
    devices = injected.online(name)
    assert {device.hostname for device in devices} == {f"{name}-0", f"{name}-1"}
    assert [(device.tags, device.ephemeral) for device in devices] == [(("tag:k8s",), False)] * 2
    look = " && ".join(f"resolve-{resolver} kubernetes.default $(hostname).lab.ts.net" for resolver in RESOLVERS)
    app.exec("sh", "-c", look, container="store")

    first = identity(devices)
    Sidecar(app).crash()
    injected.workspace.kubectl("delete", "pod", f"{name}-1", "--wait=true")
    injected.rolled_out("StatefulSet", name)
    wait_for("both devices", lambda: len(injected.online(name)) == 2)
    assert identity(injected.workspace.tailnet.devices(name)) == first

    injected.up(chart(name, sidecar=False))
    assert injected.rolled_out("StatefulSet", name)["spec"] == before
    left = [s["metadata"]["name"] for s in injected.workspace.find_all("Secret")]
    assert left == [name], "the chart's own"


def devices_of_chart(name: str, replicas: int, *, cleanup: str) -> str:
    """The tests' chart with what knows its replicas' devices; without `cleanup`, the chart alone."""
    made = (
        f"one = sidecar({name!r}, kind='StatefulSet', replicas={replicas}, service_account_name={name!r}, "
        f"dns=ClusterDns(), device_cleanup={cleanup})\n"
    )
    chart = f"made = k8s.helm.v4.Chart({name!r}, chart={str(CHART)!r}, namespace=namespace, values={{'replicas': {replicas}}}"
    if not cleanup:
        return f"{chart})\n"
    return (
        f"{made}{chart}, opts=opts(one))\n"
        "found = made.resources.apply(lambda made: next(one for one in made if isinstance(one, k8s.apps.v1.StatefulSet)))\n"
        "pulumi.export('devices', found.apply(one.devices))\n"
    )


@pytest.mark.wide
def test_the_devices_of_a_charts_replicas_are_outputs_and_go_with_them_and_with_the_sidecar(
    injected: Injected, lab: Lab
) -> None:
    name, workspace = unique("store"), injected.workspace
    cleanup = Credential.create(workspace.tailnet).argument()
    lab.add_volumes(2)
    for replicas in (2, 1):
        injected.up(devices_of_chart(name, replicas, cleanup=cleanup))
        found = {(device.hostname, device.id) for device in workspace.tailnet.devices(name)}
        shown = injected.program.stack.outputs()["devices"]
        assert {(device["pod"], device["device_id"]) for device in shown} == found
        assert len(found) == replicas

    injected.up(devices_of_chart(name, 1, cleanup=""))
    injected.rolled_out("StatefulSet", name)
    assert workspace.tailnet.devices(name) == []


WEB: dict[str, Any] = {
    "replicas": 1,
    "strategy": {"type": "Recreate"},
    "selector": {"matchLabels": {"app": "web"}},
    "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "terminationGracePeriodSeconds": 15,
            "containers": [
                # It takes all of its grace period to end.
                {"name": "web", "image": APP_IMAGE, "command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]}
            ],
        },
    },
}
CLAIMABLE = """\
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteOncePod]
  storageClassName: {name}
  hostPath: {{path: /var/lib/{name}, type: DirectoryOrCreate}}
"""


def test_a_deployment_of_one_keeps_its_identity_and_no_two_pods_have_it_at_once(injected: Injected) -> None:
    name = unique("web")
    injected.workspace.kubectl("create", "--filename=-", stdin=CLAIMABLE.format(name=name))
    injected.up(
        f"state = PersistentVolumeState(storage_class={name!r})\n"
        f"one = sidecar({name!r}, kind='Deployment', state=state)\n"
        f"k8s.apps.v1.Deployment('web', metadata={{'name': {name!r}, 'namespace': namespace}}, spec={WEB}, opts=opts(one))\n"
    )
    injected.rolled_out("Deployment", name)
    (before,) = injected.pods(name)
    first = identity(injected.online(name))
    assert len(first) == 1

    injected.workspace.kubectl("delete", "pod", before["metadata"]["name"], "--wait=false")
    replaced = Replaced(injected.workspace, name)
    replaced.watch_until_ready(other_than=before["metadata"]["name"])
    assert replaced.waited, "the new pod came while the old one was still ending"
    assert not replaced.overlapped
    wait_for("the device", lambda: len(injected.online(name)) == 1)
    assert identity(injected.workspace.tailnet.devices(name)) == first


AGENT = {
    "selector": {"matchLabels": {"app": "agent"}},
    "template": {"metadata": {"labels": {"app": "agent"}}, "spec": WEB["template"]["spec"]},
}
TOKEN = f"{SERVICE_ACCOUNT_DIR}/token"


@pytest.mark.wide
def test_a_nodes_agent_keeps_the_nodes_identity_and_writes_no_other_nodes(injected: Injected) -> None:
    name, workspace = unique("agent"), injected.workspace
    injected.up(
        f"state = SecretState(access='guarded')\n"
        f"one = sidecar({name!r}, kind='DaemonSet', service_account_name='default', state=state)\n"
        f"k8s.apps.v1.DaemonSet('agent', metadata={{'name': {name!r}, 'namespace': namespace}}, spec={AGENT}, opts=opts(one))\n"
    )
    injected.rolled_out("DaemonSet", name)
    (before,) = injected.pods(name)
    node = before["spec"]["nodeName"]
    (device,) = injected.online(name)
    assert (device.hostname, device.ephemeral) == (f"{name}-{node}", False)
    assert doctor(workspace, f"{workspace.namespace}/daemonset/{name}", "--strict")["findings"] == []

    pod = before["metadata"]["name"]
    token = workspace.kubectl("exec", pod, "--container=tailscale", "--", "cat", TOKEN)
    workspace.kubectl("create", "secret", "generic", f"{name}-elsewhere")
    workspace.kubectl_as(token, "annotate", "secret", f"{name}-{node}", "mine=yes")
    for command in (("annotate", "secret", f"{name}-elsewhere", "mine=no"), ("create", "secret", "generic", "new")):
        with pytest.raises(LabError, match="named like its own node"):
            workspace.kubectl_as(token, *command)

    workspace.kubectl("delete", "pod", pod, "--wait=false")
    replaced = Replaced(workspace, name)
    replaced.watch_until_ready(other_than=pod)
    assert not replaced.overlapped
    wait_for("the device", lambda: len(injected.online(name)) == 1)
    assert identity(workspace.tailnet.devices(name)) == identity([device])


@dataclass
class Replaced:
    """A pod that ends and the one that replaces it, watched side by side."""

    workspace: Workspace
    name: str
    waited: bool = False
    """Whether the new one was there, without a container that ran, while the old one ended."""
    overlapped: bool = False
    """Whether both sidecars ran at once."""

    def watch_until_ready(self, *, other_than: str) -> None:
        """Looks until the new pod is ready."""
        wait_for("the new pod to be ready", lambda: self._look(other_than), 90)

    def _look(self, old: str) -> bool:
        pods = [p for p in self.workspace.find_all("Pod") if p["metadata"]["name"].startswith(self.name)]
        running = [any("running" in s["state"] for s in p["status"].get("initContainerStatuses", ())) for p in pods]
        self.waited |= len(pods) == 2 and sum(running) == 1
        self.overlapped |= sum(running) > 1
        return (
            [p["metadata"]["name"] for p in pods] != [old]
            and len(pods) == 1
            and all(c["ready"] for c in pods[0]["status"].get("containerStatuses", [{"ready": False}]))
        )


YAML = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: {name}-agent}}
spec:
  selector: {{matchLabels: {{app: agent}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers: [{{name: agent, image: {image}}}]
---
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}-report}}
spec:
  template:
    spec:
      restartPolicy: OnFailure
      containers:
      - {{name: report, image: {image}, command: [resolve-musl, kubernetes.default]}}
"""


def test_deployments_and_the_daemon_sets_and_jobs_of_yaml_have_a_device_for_each_pod(injected: Injected) -> None:
    name = unique("many")
    text = YAML.format(name=name, image=APP_IMAGE)
    pod = {"containers": [{"name": "web", "image": APP_IMAGE}], "terminationGracePeriodSeconds": 5}
    spec = f"{{'replicas': 2, 'selector': {{'matchLabels': {{'app': 'web'}}}}, 'template': {{'metadata': {{'labels': {{'app': 'web'}}}}, 'spec': {{**{pod!r}, 'hostname': pulumi.Output.secret('web')}}}}}}"
    injected.up(
        f"agent = sidecar('{name}-agent', kind='DaemonSet')\n"
        f"report = sidecar('{name}-report', kind='Job')\n"
        f"web = sidecar('{name}-web', kind='Deployment')\n"
        f"k8s.yaml.v2.ConfigGroup('yaml', yaml={text!r}, opts=pulumi.ResourceOptions("
        "transforms=[agent.transform, report.transform], providers=[k8s.Provider('here', namespace=namespace)]))\n"
        f"k8s.apps.v1.Deployment('web', metadata={{'name': '{name}-web', 'namespace': namespace}}, spec={spec}, opts=opts(web))\n"
    )
    injected.rolled_out("DaemonSet", f"{name}-agent")
    injected.rolled_out("Deployment", f"{name}-web")
    injected.workspace.kubectl("wait", f"job/{name}-report", "--for=condition=complete", "--timeout=120s")
    assert sorted(d.hostname for d in injected.online(name)) == sorted(
        pod["metadata"]["name"] for kind in ("agent", "web") for pod in injected.pods(f"{name}-{kind}")
    )
    every = injected.workspace.tailnet.call("GET", "/lab/devices?all=1")
    made = [device for device in every if device["hostname"].startswith(name)]
    assert len(made) == 4
    assert [(device["tags"], device["isEphemeral"]) for device in made] == [(["tag:k8s"], True)] * 4

    (first, second) = (pod["metadata"]["name"] for pod in injected.pods(f"{name}-web"))
    injected.workspace.kubectl("delete", "pod", first, "--wait=true")
    injected.rolled_out("Deployment", f"{name}-web")
    wait_for("the new pod's device", lambda: len(injected.online(f"{name}-web")) == 2)
    assert second in {device.hostname for device in injected.online(f"{name}-web")}


CRON_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {{name: {name}-nightly}}
spec:
  schedule: 0 0 30 2 *
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
          - {{name: nightly, image: {image}, command: [resolve-musl, kubernetes.default]}}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers: [{{name: web, image: {image}}}]
"""


@pytest.mark.wide
def test_the_cron_job_of_a_file_and_the_deployment_of_kustomize_are_on_the_tailnet(injected: Injected) -> None:
    name, folder = unique("yaml"), injected.program.stack.project
    (folder / "cron.yaml").write_text(CRON_JOB.format(name=name, image=APP_IMAGE), encoding="utf-8")
    (folder / "kustomized").mkdir()
    (folder / "kustomized/web.yaml").write_text(DEPLOYMENT.format(image=APP_IMAGE), encoding="utf-8")
    (folder / "kustomized/kustomization.yaml").write_text(
        f"resources: [web.yaml]\nnamePrefix: {name}-\n", encoding="utf-8"
    )
    injected.up(
        "here = k8s.Provider('here', namespace=namespace)\n"
        f"nightly = sidecar('{name}-nightly', kind='CronJob')\n"
        f"web = sidecar('{name}-web', kind='Deployment')\n"
        "def of(one):\n"
        "    return pulumi.ResourceOptions(transforms=[one.transform], providers=[here])\n"
        "k8s.yaml.v2.ConfigFile('file', file='cron.yaml', opts=of(nightly))\n"
        "k8s.kustomize.v2.Directory('directory', directory='kustomized', opts=of(web))\n"
    )
    injected.rolled_out("Deployment", f"{name}-web")
    (web,) = injected.pods(f"{name}-web")
    assert [d.hostname for d in injected.online(f"{name}-web")] == [web["metadata"]["name"]]

    job = f"{name}-nightly-29400000"
    injected.workspace.kubectl("create", "job", job, f"--from=cronjob/{name}-nightly")
    injected.workspace.kubectl("wait", f"job/{job}", "--for=condition=complete", "--timeout=120s")
    every = injected.workspace.tailnet.call("GET", "/lab/devices?all=1")
    found = [(d["tags"], d["isEphemeral"]) for d in every if d["hostname"].startswith(job)]
    assert found == [(["tag:k8s"], True)]


def test_a_preview_fails_where_two_workloads_are_the_one(injected: Injected) -> None:
    labels = {"app": "web"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "a"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pods}
    injected.write(
        "one = sidecar('web', kind='Deployment', namespace=None)\n"
        "for place in ('blue', 'green'):\n"
        "    metadata = {'name': 'web', 'namespace': place}\n"
        f"    k8s.apps.v1.Deployment(place, metadata=metadata, spec={spec}, opts=opts(one))\n"
    )
    with pytest.raises(PulumiError, match=r"Deployment web was found twice, as the resources .* and .*: give the"):
        injected.program.stack.preview()


@pytest.mark.parametrize(
    ("arguments", "container", "message"),
    [
        ({"workload": "wob"}, "app", "its transform found no Deployment wob; it saw Deployment "),
        ({}, "tailscale", "spec.template.spec.containers[0].name tailscale is the sidecar's own; rename the container"),
    ],
)
def test_a_preview_fails_with_what_is_wrong_and_the_way_out(
    injected: Injected, arguments: dict[str, str], container: str, message: str
) -> None:
    labels = {"app": "web"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": container, "image": "a"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pods}
    injected.write(
        f"one = sidecar('web', kind='Deployment', **{arguments})\n"
        f"k8s.apps.v1.Deployment('web', metadata={{'name': 'web', 'namespace': namespace}}, spec={spec}, opts=opts(one))\n"
    )
    with pytest.raises(PulumiError) as failed:
        injected.program.stack.preview()
    assert message in str(failed.value)


def test_the_example_of_a_chart_shows_the_sidecar_in_a_preview(injected: Injected) -> None:
    stack = injected.program.stack
    stack.configure(chart=str(CHART), loginServer=injected.workspace.tailnet.url)
    (stack.project / "__main__.py").write_bytes((PROGRAMS["chart"] / "__main__.py").read_bytes())
    assert re.search(r'name *: "tailscale"\n', stack.preview())
