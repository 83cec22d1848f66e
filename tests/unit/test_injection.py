"""What the transform makes of a workload that others describe, and what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from tailscale_sidecar import (
    DeviceCleanup,
    EmptyDirState,
    KernelNetworking,
    OAuthClient,
    PersistentVolumeState,
    SecretState,
    SplitDns,
    TailscaleSidecarArgs,
    UserspaceNetworking,
)
from tailscale_sidecar.component import pod_template
from tailscale_sidecar.component.injection import injected
from tests.support.arguments import SECRET
from tests.support.mocked_engine import registered, value_of

NODES = {"kind": "DaemonSet", "state": SecretState(access="guarded")}
APP: dict[str, Any] = {"name": "app", "image": "postgres:18", "ports": [{"containerPort": 5432.0}]}


def arguments(**changes: Any) -> TailscaleSidecarArgs:
    least = {
        "kind": "StatefulSet",
        "workload": "db",
        "service_account_name": "default",
        "auth": OAuthClient(client_secret=SECRET),
        "tags": ["tag:k8s"],
    }
    return TailscaleSidecarArgs(**{**least, **changes})


def workload(pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [APP], **(pod or {})}}
    return {"metadata": {"name": "db"}, "spec": {"replicas": 1.0, "template": template, **spec}}


def inject(manifest: dict[str, Any], **changes: Any) -> dict[str, Any]:
    args = arguments(**changes)
    return injected(manifest, args, pod_template.surroundings("db", args, "db-tailscale-auth"))


def names(spec: dict[str, Any], field: str) -> list[str]:
    return [item["name"] for item in spec[field]]


def test_all_that_the_workload_has_is_kept_and_the_sidecar_starts_first() -> None:
    pod = {
        "automountServiceAccountToken": True,
        "initContainers": [{"name": "migrate", "image": "app"}],
        "securityContext": {"runAsUser": 999.0, "fsGroup": 999.0},
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "priorityClassName": "high",
    }
    manifest = workload(pod, volumeClaimTemplates=[{"metadata": {"name": "data"}}], serviceName="db")
    before = copy.deepcopy(manifest)
    made = inject(manifest)
    spec = made["spec"]["template"]["spec"]
    assert manifest == before, "what was given is not changed"
    assert names(spec, "initContainers") == ["tailscale-dns", "tailscale", "migrate"]
    (app,) = spec["containers"]
    assert {key: app[key] for key in APP} == APP
    assert [mount["mountPath"] for mount in app["volumeMounts"]] == ["/etc/resolv.conf"]
    assert names(spec, "volumes")[0] == "scratch"
    assert {key: spec[key] for key in ("automountServiceAccountToken", "securityContext", "priorityClassName")} == {
        key: pod[key] for key in ("automountServiceAccountToken", "securityContext", "priorityClassName")
    }
    assert "serviceAccountName" not in spec
    kept = {key: made["spec"][key] for key in before["spec"] if key != "template"}
    assert kept == {key: before["spec"][key] for key in kept}
    assert made["metadata"] == before["metadata"]


def test_the_apps_containers_keep_their_token_and_get_none_of_the_sidecars() -> None:
    spec = inject(workload())["spec"]["template"]["spec"]
    (sidecar,) = [c for c in spec["initContainers"] if c["name"] == "tailscale"]
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert token in [mount["mountPath"] for mount in sidecar["volumeMounts"]]
    assert token not in [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]


def test_what_a_chart_leaves_null_is_as_if_it_were_not_there() -> None:
    spec = inject(workload({"volumes": None, "initContainers": None, "securityContext": None}))["spec"]["template"][
        "spec"
    ]
    assert names(spec, "initContainers") == ["tailscale-dns", "tailscale"]
    assert "securityContext" not in spec


def test_a_service_that_asks_for_the_apps_port_by_name_does_not_get_the_sidecars() -> None:
    app = {**APP, "ports": [{"name": "metrics", "containerPort": 9187.0}]}
    ports = []
    for container in (APP, app):
        spec = inject(workload({"containers": [container]}))["spec"]["template"]["spec"]
        (sidecar,) = [c for c in spec["initContainers"] if c["name"] == "tailscale"]
        ports += [port["name"] for port in sidecar["ports"]]
    assert ports == ["metrics", "ts-metrics"]


def test_a_deployments_pods_are_ephemeral_devices_by_their_own_names() -> None:
    spec = inject(workload(replicas=3.0), kind="Deployment", service_account_name=None)["spec"]["template"]["spec"]
    (sidecar,) = [c for c in spec["initContainers"] if c["name"] == "tailscale"]
    env = {variable["name"]: variable.get("value") for variable in sidecar["env"]}
    assert (env["TS_KUBE_SECRET"], env["TS_HOSTNAME"]) == ("", "$(POD_NAME)")
    assert env["CREDENTIAL_ATTRIBUTES"] == "ephemeral=true preauthorized=true"
    assert {"name": "tailscale-state", "emptyDir": {}} in spec["volumes"]


@pytest.mark.parametrize(("hostname", "name"), [(None, "db"), ("edge", "edge")])
def test_a_nodes_state_and_device_are_named_after_the_node(hostname: str | None, name: str) -> None:
    spec = inject(workload(), **NODES, hostname=hostname)["spec"]["template"]["spec"]
    (sidecar,) = [c for c in spec["initContainers"] if c["name"] == "tailscale"]
    env = [variable["name"] for variable in sidecar["env"]]
    assert env.index("NODE_NAME") < env.index("TS_KUBE_SECRET"), "Kubernetes fills in what comes before"
    values = {variable["name"]: variable.get("value") for variable in sidecar["env"]}
    assert (values["TS_KUBE_SECRET"], values["TS_HOSTNAME"]) == ("db-$(NODE_NAME)", f"{name}-$(NODE_NAME)")
    assert values["CREDENTIAL_ATTRIBUTES"] == "ephemeral=false preauthorized=true"


def test_the_one_identity_of_a_deployment_is_on_a_claim_that_the_component_makes() -> None:
    lasting = {"kind": "Deployment", "state": PersistentVolumeState(), "service_account_name": None}
    made = inject(workload(strategy={"type": "Recreate"}), **lasting)
    claim = {"name": "tailscale-state", "persistentVolumeClaim": {"claimName": "db-tailscale-state"}}
    assert claim in made["spec"]["template"]["spec"]["volumes"]
    assert "volumeClaimTemplates" not in made["spec"]


def test_a_stateful_sets_claims_are_joined_by_the_sidecars() -> None:
    made = inject(workload(volumeClaimTemplates=[{"metadata": {"name": "data"}}]), state=PersistentVolumeState())
    assert [c["metadata"]["name"] for c in made["spec"]["volumeClaimTemplates"]] == ["data", "tailscale-state"]


@pytest.mark.parametrize("kind", ["Job", "CronJob", "DaemonSet"])
def test_other_kinds_get_it_where_their_pods_are_described(kind: str) -> None:
    manifest = workload({"restartPolicy": "OnFailure", "activeDeadlineSeconds": 60.0})
    if kind == "CronJob":
        manifest["spec"] = {"schedule": "@daily", "jobTemplate": {"spec": manifest["spec"]}}
    made = inject(manifest, kind=kind, service_account_name=None)["spec"]
    spec = (made["jobTemplate"]["spec"] if kind == "CronJob" else made)["template"]["spec"]
    assert "tailscale" in names(spec, "initContainers")
    assert spec["restartPolicy"] == "OnFailure"


def test_outputs_stay_outputs_and_those_that_have_to_be_looked_into_are_waited_for() -> None:
    leaf = pulumi.Output.secret("s3cr3t")
    env = {**APP, "env": [{"name": "PASSWORD", "value": leaf}]}
    made = inject(workload({"containers": [env]}))
    assert made["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] is leaf

    def program() -> None:
        whole = [
            {**workload(), "spec": pulumi.Output.secret(workload()["spec"])},
            workload({"containers": pulumi.Output.secret([APP])}),
            workload({"containers": [pulumi.Output.secret(APP)]}),
        ]
        found.extend(inject(manifest)["spec"] for manifest in whole)

    found: list[Any] = []
    registered(program)
    for spec in found:
        known = value_of(pulumi.Output.from_input(spec))
        assert names(known["template"]["spec"], "initContainers") == ["tailscale-dns", "tailscale"]


@pytest.mark.parametrize(
    ("manifest", "changes", "message"),
    [
        (workload({"containers": [{**APP, "name": "tailscale"}]}), {}, r"spec.template.spec.containers\[0\].name tail"),
        (
            workload({"initContainers": [{"name": "tailscale-dns"}]}),
            {},
            r"initContainers\[0\].name tailscale-dns is the",
        ),
        (
            workload({"volumes": [{"name": "tailscale-run"}]}),
            {},
            r"volumes\[0\].name tailscale-run is the sidecar's own",
        ),
        (
            workload({"hostNetwork": True}),
            {},
            r"StatefulSet db: spec.template.spec.hostNetwork cannot be set: .* remove",
        ),
        (
            workload({"containers": [{**APP, "ports": [{"containerPort": 9002.0}]}]}),
            {},
            "9002 is taken by metrics_port",
        ),
        (
            workload({"containers": [{**APP, "ports": [{"containerPort": 53.0}]}]}),
            {},
            "53 is taken by dns=InPodSplitDns",
        ),
        (
            workload({"containers": [{**APP, "volumeMounts": [{"name": "x", "mountPath": "/etc/resolv.conf"}]}]}),
            {"dns": SplitDns()},
            r"mountPath /etc/resolv.conf is taken by dns=SplitDns\(\); remove the mount",
        ),
        (
            workload({"containers": [{**APP, "livenessProbe": {"httpGet": {"path": "/healthz", "port": 9002.0}}}]}),
            {},
            r"containers\[0\].livenessProbe asks .* use a readinessProbe",
        ),
        (workload({"serviceAccountName": "db"}), {}, "serviceAccountName is db, .* give service_account_name='db'"),
        (workload(replicas=3.0), {}, "replicas is 3, and there are state Secrets for 1; give the sidecar replicas=3"),
        (workload(ordinals={"start": 5.0}), {}, "ordinals.start is 5; give the sidecar ordinals_start=5"),
        (workload(), {"registration_rate": 2}, "podManagementPolicy must be Parallel"),
        (
            workload(strategy={}),
            {"kind": "Deployment", "state": PersistentVolumeState(), "service_account_name": None},
            "strategy.type is RollingUpdate: .* Set Recreate",
        ),
        (
            workload(volumeClaimTemplates=[{"metadata": {"name": "data"}}]),
            {"state": PersistentVolumeState(), "networking": UserspaceNetworking()},
            r"spec.template.spec.securityContext.fsGroup is required",
        ),
        (
            workload(),
            {"networking": KernelNetworking(tun_device="devic.es/tun"), "advertise_routes": ["10.0.0.0/8"]},
            r"to StatefulSet db: spec.template.spec.securityContext.sysctls",
        ),
        (workload(updateStrategy={"rollingUpdate": {"maxSurge": "10%"}}), NODES, "maxSurge is 10%: .* Remove it"),
        (workload({"containers": []}), {}, "containers is empty"),
    ],
)
def test_what_the_sidecar_cannot_be_beside_is_named_with_the_way_out(
    manifest: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        inject(manifest, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "Pod"}, "Pod cannot have a sidecar from here: .* a Deployment with one replica, or a Job"),
        ({"kind": "ReplicaSet"}, "a Deployment makes it; give the Deployment"),
        ({"kind": "Rollout"}, "spec.workloadRef"),
        ({"kind": "Cluster"}, "its operator makes the pods"),
        ({"workload": "Data Base"}, "workload is no name of a Kubernetes object"),
        ({"service_account_name": None}, r"service_account_name is required with state=SecretState\(\)"),
        ({"kind": "Deployment", "state": SecretState()}, r"would use one identity\. .* PersistentVolumeState\(\)"),
        ({"kind": "Deployment", "state": PersistentVolumeState(), "replicas": 2}, "for replicas=1; use a StatefulSet"),
        ({"kind": "DaemonSet", "state": SecretState()}, r"nodes come and go: .* SecretState\(access='guarded'\)"),
        ({"kind": "DaemonSet", "state": SecretState(access="guarded", max_replicas=2)}, "without max_replicas"),
        ({"kind": "DaemonSet", "state": PersistentVolumeState()}, r"no names that come again\. Use EmptyDirState\(\)"),
        ({**NODES, "exact_hostname": "agent"}, "use hostname, which is followed by the node's name"),
        ({**NODES, "device_cleanup": DeviceCleanup(retain=True)}, "Pulumi does not know of nodes that go"),
        ({"kind": "Job", "state": PersistentVolumeState()}, "no names that come again"),
        ({"kind": "Deployment", "hostname": "web"}, "hostname is for kind='StatefulSet'"),
        ({"kind": "Deployment", "exact_hostname": "web"}, "exact_hostname needs a state that outlives the pod"),
        ({"state": EmptyDirState(), "exact_hostname": "web"}, "exact_hostname needs a state that outlives the pod"),
    ],
)
def test_arguments_that_no_workload_of_that_kind_can_have_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        arguments(**changes)
