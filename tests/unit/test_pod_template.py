"""What the choices make of a pod: what its processes find, and what of the user's own stays."""

from __future__ import annotations

import copy
import ipaddress
import re
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes.core.v1 import ContainerArgs, PodSpecArgs
from pydantic import ValidationError

from tailscale_sidecar import (
    AuthKey,
    ClusterDns,
    EmptyDirState,
    InPodSplitDns,
    KernelNetworking,
    Monitoring,
    OAuthClient,
    PersistentVolumeState,
    SecretState,
    SplitDns,
    UserspaceNetworking,
    WorkloadIdentity,
)
from tailscale_sidecar.choices.auth import Auth
from tailscale_sidecar.choices.dns import Dns
from tailscale_sidecar.choices.networking import Networking
from tailscale_sidecar.choices.state import State
from tailscale_sidecar.pod.additions import Surroundings
from tests.support.arguments import APP, SECRET, app
from tests.support.mocked_engine import value_of
from tests.support.pod import AUTH_SECRET, NAME, Pod, expanded, pod

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
KERNEL, TUN, USERSPACE = KernelNetworking(), KernelNetworking(tun_device="devic.es/tun"), UserspaceNetworking()
NET_ADMIN = KernelNetworking(privileged=False)
NAMESPACED = KernelNetworking(user_namespace=True)
NAMESPACED_TUN = KernelNetworking(user_namespace=True, tun_device="devic.es/tun")
MODES = {
    "kernel": KERNEL,
    "tun": TUN,
    "net-admin": NET_ADMIN,
    "user-namespace": NAMESPACED,
    "user-namespace-tun": NAMESPACED_TUN,
    "userspace": USERSPACE,
}
NETWORKING = pytest.mark.parametrize("networking", MODES.values(), ids=MODES)

# The user's pod


RICH: dict[str, Any] = {
    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
    "containers": [
        {**APP, "command": ["serve"], "env": [{"name": "A", "value": "1"}], "stdin": True, "workingDir": "/srv"},
        {
            "name": "second",
            "image": "busybox",
            "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
            "livenessProbe": {"httpGet": {"port": 80}},
            "ports": [{"containerPort": 80}],
            "resources": {"limits": {"memory": "1Gi"}},
            "securityContext": {"readOnlyRootFilesystem": True},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
    ],
    "enableServiceLinks": False,
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}],
    "imagePullSecrets": [{"name": "registry"}],
    "initContainers": [
        {"name": "migrate", "image": "busybox"},
        {"name": "log", "image": "busybox", "restartPolicy": "Always"},
    ],
    "nodeSelector": {"disk": "ssd"},
    "priorityClassName": "high",
    "schedulerName": "other",
    "securityContext": {"runAsUser": 999, "runAsNonRoot": True, "fsGroup": 999},
    "shareProcessNamespace": True,
    "terminationGracePeriodSeconds": 120,
    "tolerations": [{"operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "volumes": [{"name": "data", "emptyDir": {}}],
}


@NETWORKING
def test_everything_in_the_users_pod_spec_is_kept(networking: Networking) -> None:
    made = pod(pod_spec=RICH, networking=networking)
    for field, value in RICH.items():
        if field in ("containers", "initContainers"):
            for container in value:
                ours = made.containers[container["name"]]
                assert {key: ours[key] for key in container if key != "volumeMounts"} == {
                    key: container[key] for key in container if key != "volumeMounts"
                }
                assert [m for m in ours.get("volumeMounts", ()) if m in container.get("volumeMounts", ())] == list(
                    container.get("volumeMounts", ())
                )
        elif field == "volumes":
            assert [volume for volume in made.spec["volumes"] if volume in value] == value
        else:
            assert made.spec[field] == value


def test_what_the_user_passed_in_is_not_changed() -> None:
    before = copy.deepcopy(RICH)
    pod(pod_spec=RICH, state=PersistentVolumeState(), networking=USERSPACE)
    assert before == RICH


@NETWORKING
def test_the_app_runs_in_containers_of_its_own_only(networking: Networking) -> None:
    made = pod(networking=networking)
    assert [c["name"] for c in made.spec["containers"]] == [APP["name"]]
    assert made.sidecar["restartPolicy"] == "Always"  # a native sidecar: an init container that goes on running


def test_tailscale_is_up_before_the_users_init_containers() -> None:
    order = list(pod(pod_spec=RICH).containers)
    users = [order.index(name) for name in ("migrate", "log", APP["name"], "second")]
    assert users == sorted(users)
    assert max(order.index(name) for name in order if name.startswith("tailscale")) < users[0]


def test_the_name_server_of_the_pod_is_up_before_the_users_init_containers() -> None:
    made = pod(pod_spec=RICH, dns=InPodSplitDns())
    (resolver,) = [name for name, c in made.containers.items() if c["image"].startswith("coredns/")]
    order = list(made.containers)
    assert order.index(resolver) < order.index("tailscale") < order.index("migrate")


@NETWORKING
@pytest.mark.parametrize("spec", [{}, {"containers": []}, PodSpecArgs(containers=[])], ids=["empty", "none", "args"])
def test_without_the_users_containers_the_sidecar_is_the_pods_own(networking: Networking, spec: Any) -> None:
    made = pod(pod_spec=spec, networking=networking)
    (own,) = made.spec["containers"]
    beside = pod(networking=networking, dns=ClusterDns()).sidecar
    assert own == {key: value for key, value in beside.items() if key != "restartPolicy"}
    assert [c for c in made.spec.get("initContainers", ()) if "restartPolicy" in c] == []


def test_without_the_users_containers_the_users_init_containers_come_first_with_the_clusters_dns() -> None:
    first = {"name": "first", "image": "busybox"}
    made = pod(pod_spec={"initContainers": [first]})
    assert made.spec["initContainers"] == [first]
    assert "tailscale-dns" not in made.containers


def test_resources_of_a_pod_that_is_tailscales_alone_cover_the_sidecar() -> None:
    made = pod(pod_spec={"resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}})
    assert made.spec["resources"]["requests"] == {"cpu": "16m", "memory": "49Mi"}


def test_outputs_stay_where_they_are() -> None:
    image, hidden = pulumi.Output.from_input("postgres:18"), pulumi.Output.secret("x")
    made = pod(
        pod_spec={"containers": [{"name": "app", "image": image, "env": [{"name": "P", "value": hidden}]}]},
        labels={"team": hidden},
        env={"TS_SERVE_CONFIG": hidden},
    )
    assert made.containers["app"]["image"] is image
    assert made.containers["app"]["env"][0]["value"] is hidden
    assert isinstance(made.template["metadata"]["labels"]["team"], pulumi.Output)
    assert isinstance({v["name"]: v.get("value") for v in made.sidecar["env"]}["TS_SERVE_CONFIG"], pulumi.Output)


def test_what_another_resource_makes_can_be_given_before_it_is_known() -> None:
    registry, services, server = (
        pulumi.Output.from_input(value) for value in ("ecr.example.com", "10.96.0.0/12", "https://hs.example.com")
    )
    made = pod(
        image=pulumi.Output.concat(registry, "/tailscale:v1.102.5"),
        dns_image=pulumi.Output.concat(registry, "/coredns:1.15.0"),
        accept_routes=True,
        cluster_cidrs=["10.244.0.0/16", services],
        login_server=server,
    )
    env = {v["name"]: v.get("value") for c in made.containers.values() for v in c.get("env", ())}
    assert value_of(made.sidecar["image"]) == "ecr.example.com/tailscale:v1.102.5"
    assert value_of(made.containers["tailscale-dns"]["image"]) == "ecr.example.com/coredns:1.15.0"
    assert value_of(env["CLUSTER_CIDRS"]) == "10.244.0.0/16,10.96.0.0/12"
    assert "--login-server=https://hs.example.com" in value_of(env["TS_EXTRA_ARGS"]).split()


def test_pods_carry_the_users_labels_and_annotations_and_the_selectors() -> None:
    made = pod(labels={"team": "a"}, annotations={"note": "b"}, dns=SplitDns())
    assert made.template["metadata"] == {"labels": {"app": NAME, "team": "a"}, "annotations": {"note": "b"}}
    assert made.stateful_set["selector"] == {"matchLabels": {"app": NAME}}


# Credentials and tokens


@NETWORKING
def test_the_token_of_the_service_account_is_mounted_in_the_sidecar_alone(networking: Networking) -> None:
    made = pod(networking=networking, pod_spec=RICH)
    assert [name for name in made.containers if TOKEN in made.mounts(name)] == ["tailscale"]
    assert made.spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("state", [SecretState(), PersistentVolumeState(), EmptyDirState()])
def test_the_app_gets_the_token_if_asked_for(state: State) -> None:
    made = pod(mount_token_in_app=True, pod_spec=RICH, state=state)
    with_token = {name for name in made.containers if TOKEN in made.mounts(name)}
    needs_it = {"tailscale"} if isinstance(state, SecretState) else set()
    assert with_token == {"migrate", "log", APP["name"], "second"} | needs_it
    (token,) = (volume for volume in made.spec["volumes"] if volume["name"] == "tailscale-token")
    assert token["projected"]["sources"]


@pytest.mark.parametrize("state", [PersistentVolumeState(), EmptyDirState()])
def test_where_no_secret_is_written_there_is_no_token_at_all(state: State) -> None:
    made = pod(state=state)
    assert not [name for name in made.containers if TOKEN in made.mounts(name)]
    assert made.spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    "auth",
    [
        OAuthClient(client_id="k", client_secret=SECRET),
        OAuthClient(existing_secret=AUTH_SECRET),
        AuthKey(auth_key=SECRET.replace("client", "auth")),
        WorkloadIdentity(client_id="k", audience="a"),
        WorkloadIdentity(client_id="k", audience="a", token="projected"),
    ],
    ids=["OAuth", "existing", "auth key", "ambient", "projected"],
)
def test_the_credential_is_a_file_that_the_sidecar_alone_can_read(auth: Auth) -> None:
    made = pod(auth=auth, pod_spec=RICH)
    secrets = {name: volume["secret"] for name, volume in made.volumes.items() if "secret" in volume}
    assert [secret["secretName"] for secret in secrets.values()] == [AUTH_SECRET]
    assert [name for name in made.containers if made.mounted(name, "secret")] == ["tailscale"]
    assert made.env()["CREDENTIAL_FILE"].rpartition("/")[0] in made.mounted("tailscale", "secret")
    assert "s3cr3t" not in str(made.stateful_set)


def test_an_id_token_for_tailscale_is_mounted_in_the_sidecar_alone() -> None:
    made = pod(auth=WorkloadIdentity(client_id="k", audience="example", token="projected"), state=EmptyDirState())
    assert [name for name in made.containers if made.mounted(name, "projected")] == ["tailscale"]
    (folder,) = made.mounted("tailscale", "projected")
    (source,) = made.volumes[made.mounts()[folder]["name"]]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "example"
    assert made.env()["ID_TOKEN_FILE"] == f"{folder}/{source['serviceAccountToken']['path']}"


@pytest.mark.parametrize(
    ("state", "asked", "expected"),
    [
        (SecretState(), None, "false"),
        (PersistentVolumeState(), None, "false"),
        (EmptyDirState(), None, "true"),
        (SecretState(), True, "true"),
        (EmptyDirState(), False, "false"),
    ],
)
def test_devices_are_ephemeral_where_their_state_is_lost_with_the_pod_unless_asked_otherwise(
    state: State, asked: bool | None, expected: str
) -> None:
    for auth in (
        OAuthClient(existing_secret="x", ephemeral=asked),
        WorkloadIdentity(existing_secret="x", ephemeral=asked),
    ):
        assert f"ephemeral={expected}" in pod(auth=auth, state=state).env()["CREDENTIAL_ATTRIBUTES"].split()


# State


def test_each_pods_state_is_in_the_secret_named_like_it() -> None:
    assert pod().env(ordinal=3)["TS_KUBE_SECRET"] == f"{NAME}-3"


@pytest.mark.parametrize("networking", [KERNEL, USERSPACE])
def test_state_on_a_volume_goes_to_a_claim_of_each_replica(networking: Networking) -> None:
    made = pod(state=PersistentVolumeState(size="2Gi", storage_class="fast"), networking=networking)
    assert made.env()["TS_KUBE_SECRET"] == ""
    mount = made.mount_of(made.env()["TS_STATE_DIR"])
    spec = made.claims[mount["name"]]["spec"]
    assert spec["resources"]["requests"]["storage"] == "2Gi"
    assert spec["storageClassName"] == "fast"
    assert mount["name"] not in made.volumes


def test_the_users_claims_stay_beside_the_sidecars() -> None:
    mine = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    made = pod(state=PersistentVolumeState(), volume_claim_templates=[mine])
    assert made.claims["data"] == mine
    assert len(made.claims) == 2


def test_state_in_the_pod_goes_to_a_volume_on_disk_that_outlives_the_container() -> None:
    made = pod(state=EmptyDirState())
    assert made.env()["TS_KUBE_SECRET"] == ""
    volume = made.volumes[made.mount_of(made.env()["TS_STATE_DIR"])["name"]]
    assert volume["emptyDir"].get("medium") != "Memory"


def test_a_sidecar_that_is_not_root_can_write_its_claim() -> None:
    made = pod(state=PersistentVolumeState(), networking=USERSPACE)
    user = made.sidecar["securityContext"]
    assert user["runAsUser"] != 0
    assert made.spec["securityContext"]["fsGroup"] == user["runAsGroup"]


@pytest.mark.parametrize("group", [70, pulumi.Output.from_input(70)])
def test_the_users_group_for_volumes_is_kept(group: Any) -> None:
    spec = {**app(), "securityContext": {"fsGroup": group}}
    made = pod(pod_spec=spec, state=PersistentVolumeState(), networking=USERSPACE)
    assert made.spec["securityContext"]["fsGroup"] is group


@pytest.mark.parametrize("access", ["scoped", "guarded"])
@pytest.mark.parametrize(("replicas", "max_replicas", "count"), [(1, None, 1), (3, None, 3), (3, 5, 5), (0, 2, 2)])
def test_the_role_names_the_secrets_of_the_replicas_that_there_may_be(
    access: Any, replicas: int, max_replicas: int | None, count: int
) -> None:
    rules = (
        SecretState(access=access, max_replicas=max_replicas)
        .additions(Surroundings(name=NAME, replicas=replicas))
        .rules
    )
    named = [name for rule in rules for name in rule.get("resourceNames", ())]
    assert named == [f"{NAME}-{ordinal}" for ordinal in range(count)]
    unnamed = {
        verb
        for rule in rules
        if "secrets" in rule["resources"] and "resourceNames" not in rule
        for verb in rule["verbs"]
    }
    assert unnamed == ({"create"} if access == "guarded" else set())


def test_open_access_is_the_guides_role() -> None:
    (rule,) = SecretState(access="open").additions(Surroundings(name=NAME, replicas=2)).rules
    assert rule == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "patch"]}


def test_without_replicas_the_role_gives_no_secret_away() -> None:
    # RBAC reads an empty list of names as all names.
    assert SecretState().additions(Surroundings(name=NAME, replicas=0)).rules == ()


@pytest.mark.parametrize("access", ["scoped", "guarded", "open"])
def test_scaling_from_none_leaves_the_pod_template_as_it_is(access: Any) -> None:
    none, two = (pod(state=SecretState(access=access), replicas=replicas).spec for replicas in (0, 2))
    assert none == two


# Settings of the device

EVERY_SETTING: dict[str, dict[str, Any]] = {
    "none": {},
    "routes accepted": {"accept_routes": True, "cluster_cidrs": ["10.96.0.0/12"]},
    "an exit node": {"advertise_exit_node": True},
    "routes advertised": {"advertise_routes": ["192.0.2.0/24", "2001:db8::/32"]},
    "userspace": {"networking": USERSPACE},
    "another name": {"hostname": "web"},
}


@pytest.mark.parametrize("changes", EVERY_SETTING.values(), ids=EVERY_SETTING.keys())
def test_every_setting_is_given_with_its_value_so_that_a_removed_one_takes_effect(changes: dict[str, Any]) -> None:
    made = pod(**changes)
    assert made.flags == {
        "reset": "",
        "advertise-tags": "tag:k8s",
        "accept-routes": str("accept_routes" in changes).lower(),
        "advertise-exit-node": str("advertise_exit_node" in changes).lower(),
        "shields-up": "false",
    }
    assert made.env()["TS_ROUTES"] == ",".join(changes.get("advertise_routes", ()))
    assert made.env()["TS_HOSTNAME"]
    assert made.env()["TS_ACCEPT_DNS"] in ("true", "false")


@pytest.mark.filterwarnings("ignore:shields_up=True")
def test_the_asked_settings_reach_tailscale_up() -> None:
    made = pod(
        shields_up=True,
        auth=AuthKey(auth_key="hskey-auth-x"),
        login_server="https://hs.example.com",
        tags=["tag:a", "tag:b"],
        extra_args=["--ssh", "--exit-node=100.64.0.9"],
        cluster_cidrs=["10.96.0.0/12"],
    )
    assert made.flags["shields-up"] == "true"
    assert made.flags["login-server"] == "https://hs.example.com"
    assert made.flags["advertise-tags"] == "tag:a,tag:b"
    assert made.flags["exit-node"] == "100.64.0.9"
    assert "ssh" in made.flags


def test_an_auth_key_carries_the_tags_so_none_are_given() -> None:
    assert "advertise-tags" not in pod(auth=AuthKey(existing_secret="x"), tags=[]).flags


def test_a_device_is_called_like_its_pod() -> None:
    assert pod().env(ordinal=2)["TS_HOSTNAME"] == f"{NAME}-2"


def test_a_device_can_have_a_prefix_of_its_own_with_the_pods_ordinal() -> None:
    assert [pod(hostname="web").env(ordinal=n)["TS_HOSTNAME"] for n in (0, 11)] == ["web-0", "web-11"]


def test_the_users_variables_come_last_so_that_they_can_name_the_pods_fields() -> None:
    made = pod(env={"TS_DEBUG_ADDR_PORT": "$(POD_IP):9010", "AWS_REGION": "eu-central-1"})
    assert made.env(addresses="10.244.3.4")["TS_DEBUG_ADDR_PORT"] == "10.244.3.4:9010"
    assert made.env()["AWS_REGION"] == "eu-central-1"


@NETWORKING
def test_a_variable_of_the_sidecar_is_either_refused_as_the_components_own_or_the_users_to_change(
    networking: Networking,
) -> None:
    made = pod(networking=networking, auth=WorkloadIdentity(client_id="k", audience="a", token="projected"))
    for variable in made.env():
        try:
            changed = pod(networking=networking, env={variable: "10m"})
        except ValidationError:
            continue
        assert [v["value"] for v in changed.sidecar["env"] if v["name"] == variable] == ["10m"]


def test_a_sidecar_that_waits_for_a_rate_limit_or_an_approval_is_not_restarted_within_minutes_unless_asked() -> None:
    assert pod().env()["TS_BOOT_TIMEOUT"].endswith("h")
    assert pod(env={"TS_BOOT_TIMEOUT": "90s"}).env()["TS_BOOT_TIMEOUT"] == "90s"


def test_many_replicas_may_start_in_parallel_where_they_register_at_a_rate() -> None:
    made = pod(replicas=1000, pod_management_policy="Parallel", registration_rate=2.5)
    assert made.env()["REGISTRATION_RATE"] == "2.5"
    assert made.stateful_set["podManagementPolicy"] == "Parallel"


# Metrics and waiting


def test_metrics_and_health_are_served_on_the_pods_address() -> None:
    made = pod(metrics_port=9100)
    assert made.env(addresses="10.244.3.4")["TS_LOCAL_ADDR_PORT"] == "10.244.3.4:9100"
    assert [port["containerPort"] for port in made.sidecar["ports"]] == [9100]
    assert made.sidecar["startupProbe"]["httpGet"]["port"] == 9100


@pytest.mark.parametrize("addresses", ["fd00::7", "fd00::7,10.244.0.7", "10.244.0.7,fd00::7"])
def test_metrics_are_served_on_the_address_of_an_ipv6_pod(addresses: str) -> None:
    env = pod().env(addresses=addresses)
    address, _, port = env["TS_LOCAL_ADDR_PORT"].rpartition(":")
    assert address.strip("[]") == addresses.partition(",")[0]
    assert port == "9002"
    # An IPv6 address without brackets is fine as long as containerboot knows it as the pod's: it then adds them.
    if ipaddress.ip_address(address.strip("[]")).version == 6 and not address.startswith("["):
        assert address in env["POD_IPS"].split(",")


def test_the_app_waits_for_the_tailnet_for_as_long_as_it_takes() -> None:
    probe = pod().sidecar["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] > 10 * 365 * 86400
    assert "livenessProbe" not in pod().sidecar


def test_without_metrics_and_waiting_nothing_listens() -> None:
    made = pod(metrics=False, wait_for_tailnet=False, pod_spec=app(ports=[{"containerPort": 9002}]))
    assert made.env()["TS_ENABLE_METRICS"] == made.env()["TS_ENABLE_HEALTH_CHECK"] == "false"
    assert "ports" not in made.sidecar
    assert "startupProbe" not in made.sidecar


def test_monitoring_is_announced_by_annotations_unless_the_operator_finds_it() -> None:
    alone, found = pod(monitoring=Monitoring(port=9100)), pod(monitoring=Monitoring(port=9100, operator=True))
    for made in (alone, found):
        assert {"name": "sidecar-metrics", "containerPort": 9100, "protocol": "TCP"} in made.sidecar["ports"]
    of_alone, of_found = (made.template["metadata"]["annotations"] for made in (alone, found))
    asked = {"prometheus.io/scrape": "true", "prometheus.io/port": "9100", "prometheus.io/path": "/metrics"}
    assert of_alone == {**of_found, **asked}
    assert not asked.keys() & of_found.keys()


def test_waiting_does_not_need_metrics_nor_metrics_waiting() -> None:
    waits = pod(metrics=False)
    assert "startupProbe" in waits.sidecar
    assert (waits.env()["TS_ENABLE_METRICS"], waits.env()["TS_ENABLE_HEALTH_CHECK"]) == ("false", "true")
    serves = pod(wait_for_tailnet=False)
    assert "startupProbe" not in serves.sidecar
    assert serves.sidecar["ports"]
    assert (serves.env()["TS_ENABLE_METRICS"], serves.env()["TS_ENABLE_HEALTH_CHECK"]) == ("true", "false")


# DNS


@pytest.mark.parametrize("dns", [InPodSplitDns(), SplitDns()])
def test_every_container_of_the_user_gets_the_modes_resolver(dns: Dns) -> None:
    made = pod(dns=dns, pod_spec=RICH)
    for name in ("migrate", "log", APP["name"], "second"):
        assert made.mounts(name)["/etc/resolv.conf"]["readOnly"] is True
    assert made.env()["TS_ACCEPT_DNS"] == "true"


@pytest.mark.parametrize("networking", [KERNEL, USERSPACE])
def test_with_the_clusters_dns_the_apps_resolver_is_left_alone(networking: Networking) -> None:
    made = pod(dns=ClusterDns(), networking=networking)
    assert "/etc/resolv.conf" not in made.mounts(APP["name"])
    assert made.env()["TS_ACCEPT_DNS"] == "false"


@pytest.mark.parametrize("dns", [InPodSplitDns(), SplitDns(), ClusterDns()])
def test_tailscaled_never_writes_the_file_that_the_app_reads(dns: Dns) -> None:
    made = pod(dns=dns, networking=TUN)  # where it may mount, scripts/prepare.sh does

    def file(container: str) -> object:
        mount = made.mounts(container).get("/etc/resolv.conf")
        return mount and (mount["name"], mount["subPath"])

    assert file("tailscale") != file(APP["name"])  # without a mount, the kubelet gives all containers the same file


def test_the_resolver_sends_the_tailnets_domains_to_tailscale_and_all_else_to_the_cluster() -> None:
    made = pod(dns=InPodSplitDns(tailnet_domains=["ts.net", "hs.example.com"], ready_port=9999))
    tailnet, rest = corefile(made).split("\n. {\n")
    assert tailnet.startswith("ts.net hs.example.com {")
    assert "forward . 100.100.100.100" in tailnet
    assert "100.100.100.100" not in rest
    assert "forward . /etc/resolv.conf" in rest  # the kubelet's own
    assert ":9999" in rest


def corefile(made: Pod) -> str:
    """What Kubernetes writes into the file that the resolver reads."""
    command = made.containers["tailscale-dns"]["args"]
    folder, _, name = command[command.index("-conf") + 1].rpartition("/")
    mount = made.mounts("tailscale-dns")[folder]
    (item,) = made.volumes[mount["name"]]["downwardAPI"]["items"]
    assert item["path"] == name
    key = item["fieldRef"]["fieldPath"].removeprefix("metadata.annotations['").removesuffix("']")
    return str(made.template["metadata"]["annotations"][key])


def test_the_resolver_shares_no_file_with_the_sidecar_whose_credential_would_be_beside_it() -> None:
    volumes = {mount["name"] for mount in pod().mounts("tailscale-dns").values()}
    assert volumes.isdisjoint(mount["name"] for mount in pod().mounts().values())


def test_an_app_that_does_not_wait_for_the_tailnet_still_waits_for_its_resolver() -> None:
    made = pod(dns=InPodSplitDns(ready_port=9999), wait_for_tailnet=False)
    assert made.containers["tailscale-dns"]["startupProbe"]["httpGet"]["port"] == 9999


def test_where_the_app_waits_for_the_tailnet_the_sidecar_waits_for_the_resolver_and_nothing_asks_it_twice() -> None:
    made = pod(dns=InPodSplitDns(ready_port=9999))
    assert made.env()["RESOLVER_READY_PORT"] == "9999"
    assert "startupProbe" not in made.containers["tailscale-dns"]


# Privileges


def test_kernel_networking_is_root_whatever_the_pod_asks_of_the_app() -> None:
    for networking in (KERNEL, TUN):
        made = pod(pod_spec=RICH, networking=networking)
        assert (made.sidecar["securityContext"]["runAsUser"], made.sidecar["securityContext"]["runAsNonRoot"]) == (
            0,
            False,
        )


def test_a_privileged_sidecar_needs_no_init_container() -> None:
    assert list(pod(dns=SplitDns()).containers) == ["tailscale", APP["name"]]
    assert list(pod().containers) == ["tailscale-dns", "tailscale", APP["name"]]


def test_the_init_container_beside_a_tun_device_has_no_privileges_and_no_device() -> None:
    made = pod(networking=TUN).containers["tailscale-init"]
    assert made["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert made["securityContext"]["allowPrivilegeEscalation"] is False
    assert "limits" not in made["resources"]


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("networking", [KERNEL, TUN])
def test_no_container_of_the_user_is_made_before_the_pod_is_prepared(networking: Networking, wait: bool) -> None:
    hook = pod(networking=networking, wait_for_tailnet=wait).sidecar["lifecycle"]["postStart"]
    assert "/run/tailscale-sidecar/prepared" in hook["exec"]["command"][-1]


@NETWORKING
def test_why_a_sidecar_ended_stands_in_the_pods_status(networking: Networking) -> None:
    assert pod(networking=networking).sidecar["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_a_tun_device_takes_the_place_of_privileges() -> None:
    made = pod(networking=TUN, resources={"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}})
    assert not [name for name, c in made.containers.items() if c.get("securityContext", {}).get("privileged")]
    assert made.sidecar["resources"] == {
        "requests": {"cpu": "1"},
        "limits": {"memory": "1Gi", "devic.es/tun": 1},
    }


def test_a_tun_device_is_added_to_limits_that_are_not_known_yet() -> None:
    limits = pulumi.Output.from_input({"memory": "1Gi"})
    made = pod(networking=TUN, resources={"limits": limits}).sidecar["resources"]["limits"]
    assert value_of(made) == {"memory": "1Gi", "devic.es/tun": 1}


def test_the_sidecar_asks_for_resources_and_takes_the_users() -> None:
    assert set(pod().sidecar["resources"]["requests"]) == {"cpu", "memory"}
    mine = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    assert pod(resources=mine).sidecar["resources"] == mine


def test_the_sysctls_that_routing_needs_are_set_where_they_can_be() -> None:
    routes = {"cluster_cidrs": ["10.96.0.0/12"], "accept_routes": True}
    assert pod(**routes).env()["FORWARD"] == "true"
    assert pod(advertise_routes=["192.0.2.0/24"]).env()["FORWARD"] == "true"
    assert pod(advertise_exit_node=True).env()["FORWARD"] == "true"
    assert pod().env()["FORWARD"] == "false"
    for networking in (TUN, NET_ADMIN, NAMESPACED_TUN):
        assert pod(**routes, networking=networking).env()["FORWARD"] == "false"
    assert pod(**routes, networking=NAMESPACED).env()["FORWARD"] == "true"


def test_a_user_namespace_is_the_pods_and_the_sidecar_checks_that_it_got_it() -> None:
    for networking in (NAMESPACED, NAMESPACED_TUN):
        made = pod(networking=networking)
        assert made.spec["hostUsers"] is False
        assert "/proc/self/uid_map" in made.sidecar["command"][2]
    assert "hostUsers" not in pod().spec
    assert "/proc/self/uid_map" not in pod().sidecar["command"][2]


def test_a_sidecar_that_is_not_privileged_has_the_capabilities_that_it_needs_and_no_more() -> None:
    for networking, more in ((TUN, []), (NAMESPACED_TUN, []), (NET_ADMIN, ["MKNOD"])):
        context = pod(networking=networking).sidecar["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW", *more]}
        assert context["allowPrivilegeEscalation"] is False
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "privileged" not in context


@pytest.mark.parametrize("routes", [{"advertise_routes": ["192.0.2.0/24"]}, {"advertise_exit_node": True}])
def test_proc_can_be_written_in_a_user_namespace_where_packets_are_forwarded_and_only_there(
    routes: dict[str, Any],
) -> None:
    routing = pod(networking=NAMESPACED_TUN, **routes)
    assert routing.sidecar["securityContext"]["procMount"] == "Unmasked"
    assert routing.env()["FORWARD"] == "true"
    for other in (pod(networking=NAMESPACED_TUN), pod(networking=NAMESPACED, **routes)):
        assert "procMount" not in other.sidecar["securityContext"]


def test_an_app_that_asks_for_a_user_namespace_keeps_it_in_userspace() -> None:
    assert pod(pod_spec={"containers": [APP], "hostUsers": False}, networking=USERSPACE).spec["hostUsers"] is False


def test_userspace_networking_needs_no_init_container() -> None:
    assert list(pod(networking=USERSPACE).containers) == ["tailscale", APP["name"]]


def test_the_proxy_listens_on_localhost_only() -> None:
    env = pod(networking=UserspaceNetworking(proxy_port=1080)).env()
    assert env["TS_SOCKS5_SERVER"] == env["TS_OUTBOUND_HTTP_PROXY_LISTEN"] == "localhost:1080"


RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def breaks_restricted(spec: dict[str, Any]) -> list[str]:
    """What Pod Security `restricted` refuses (kubernetes.io/docs/concepts/security/pod-security-standards/)."""
    found = [f"pod {field}" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    for volume in spec.get("volumes", ()):
        found += [f"volume {kind}" for kind in volume.keys() - {"name"} - RESTRICTED_VOLUMES]
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        context = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        capabilities = context.get("capabilities", {})
        rules = {
            "privileged": not context.get("privileged"),
            "privilege escalation": context.get("allowPrivilegeEscalation") is False,
            "run as non-root": context.get("runAsNonRoot") is True,
            "run as user": context.get("runAsUser") != 0,
            "seccomp": context.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "dropped capabilities": "ALL" in capabilities.get("drop", ()),
            "added capabilities": set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"},
            "host ports": not any(port.get("hostPort") for port in container.get("ports", ())),
        }
        found += [f"{container['name']} {rule}" for rule, holds in rules.items() if not holds]
    return found


HARDENED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}


@pytest.mark.parametrize("state", [SecretState(), PersistentVolumeState(), EmptyDirState()])
def test_a_userspace_pod_passes_pod_security_restricted_by_itself(state: State) -> None:
    made = pod(networking=USERSPACE, state=state, pod_spec=app(securityContext=HARDENED))
    assert breaks_restricted(made.spec) == []


def test_a_kernel_pod_does_not_pass_pod_security_restricted() -> None:
    assert breaks_restricted(pod(pod_spec=app(securityContext=HARDENED)).spec) != []


# Images and scripts


@NETWORKING
def test_images_come_from_a_mirror_if_asked_for(networking: Networking) -> None:
    made = pod(
        networking=networking,
        image="mirror.example.com/tailscale:v1.102.5",
        dns_image="mirror.example.com/coredns:1.15.0",
        image_pull_policy="Always",
    )
    for name, container in made.containers.items():
        if name != APP["name"]:
            assert container["image"].startswith("mirror.example.com/")
            assert container["imagePullPolicy"] == "Always"


def test_a_volume_of_the_user_can_be_mounted_in_the_sidecar() -> None:
    spec = {**app(), "volumes": [{"name": "serve", "configMap": {"name": "serve"}}]}
    made = pod(pod_spec=spec, sidecar_volume_mounts=[{"name": "serve", "mount_path": "/serve"}])
    assert made.mounts()["/serve"] == {"name": "serve", "mountPath": "/serve"}
    assert "/serve" not in made.mounts(APP["name"])


@NETWORKING
def test_every_mounted_volume_exists(networking: Networking) -> None:
    for state in (SecretState(), PersistentVolumeState(), EmptyDirState()):
        made = pod(networking=networking, state=state)
        for name in made.containers:
            for mount in made.mounts(name).values():
                assert mount["name"] in {*made.volumes, *made.claims}


@NETWORKING
def test_kubernetes_leaves_the_scripts_as_they_are(networking: Networking) -> None:
    made = pod(networking=networking, env={"run": "x", "date": "x"})
    for name, container in made.containers.items():
        for text in (*container.get("command", ()), *container.get("args", ())):
            assert expanded(text, made.env(name)) == text


@NETWORKING
def test_comments_of_the_scripts_stay_out_of_the_pod(networking: Networking) -> None:
    made = pod(
        networking=networking,
        monitoring=Monitoring(),
        login_server="https://hs.example.com",
        auth=AuthKey(existing_secret="x"),
    )
    texts = [text for found in made.containers.values() for text in found.get("command", ()) if "\n" in text]
    assert texts
    assert [line for text in texts for line in text.splitlines() if re.match(" *#(?!!)", line)] == []


def test_args_classes_give_the_same_pod_as_dicts() -> None:
    spec = PodSpecArgs(containers=[ContainerArgs(name="app", image="nginx:1.29")])
    assert pod(pod_spec=spec).stateful_set == pod().stateful_set


# The StatefulSet around it


def test_fields_of_the_stateful_set_are_passed_on() -> None:
    made = pod(
        replicas=3,
        pod_management_policy="Parallel",
        update_strategy={"type": "OnDelete"},
        persistent_volume_claim_retention_policy={"when_deleted": "Delete"},
    ).stateful_set
    assert made["replicas"] == 3
    assert made["podManagementPolicy"] == "Parallel"
    assert made["updateStrategy"] == {"type": "OnDelete"}
    assert made["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete"}


def test_a_scaled_stateful_set_has_the_same_template() -> None:
    template = pod(replicas=1).template
    for replicas in (0, 2, 50):
        assert pod(replicas=replicas).template == template


# The StatefulSet around it


def test_what_a_stateful_set_says_of_itself_can_be_said_here() -> None:
    made = pod(min_ready_seconds=10, revision_history_limit=0, ordinals_start=3).stateful_set
    assert (made["minReadySeconds"], made["revisionHistoryLimit"], made["ordinals"]) == (10, 0, {"start": 3})


def test_the_role_follows_the_number_of_the_first_replica() -> None:
    rules = SecretState(max_replicas=3).additions(Surroundings(name=NAME, replicas=2, first=5)).rules
    assert [name for rule in rules for name in rule.get("resourceNames", ())] == [f"{NAME}-{n}" for n in (5, 6, 7)]


def test_one_replica_can_have_a_name_of_its_own() -> None:
    assert pod(exact_hostname="db").env()["TS_HOSTNAME"] == "db"


@pytest.mark.parametrize("networking", [KernelNetworking(), UserspaceNetworking()])
def test_no_volume_on_the_nodes_disk_keeps_the_autoscaler_from_removing_it(networking: Any) -> None:
    local = [volume["emptyDir"] for volume in pod(networking=networking).volumes.values() if "emptyDir" in volume]
    assert local
    assert all(volume.get("medium") == "Memory" for volume in local)
