"""Arguments that a user may write, as Hypothesis strategies. All of them are right: Kubernetes must take what they give.

Texts are short and from small alphabets: what matters here is which fields come together.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tailscale_sidecar import (
    AuthKey,
    ClusterDns,
    EmptyDirState,
    InPodSplitDns,
    KernelNetworking,
    OAuthClient,
    PersistentVolumeState,
    SecretState,
    SplitDns,
    UserspaceNetworking,
    WorkloadIdentity,
)
from tailscale_sidecar.choices.auth import Auth
from tailscale_sidecar.pod import pod_spec
from tailscale_sidecar.pod.rules import FREE_FLAGS

Json = dict[str, Any]


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Dicts with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


def several(strategy: st.SearchStrategy[Any], *, most: int = 2, least: int = 0, by: str = "") -> st.SearchStrategy[Any]:
    """Lists without repetition, of whole items or of those with the same field."""
    key = (lambda item: item[by]) if by else repr
    return st.lists(strategy, min_size=least, max_size=most, unique_by=key)


labels = matching(r"[a-z]([a-z0-9-]{0,3}[a-z0-9])?")
"""DNS labels, short."""
component_names = matching(r"[a-z]([a-z0-9-]{0,50}[a-z0-9])?")
object_names = matching(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?(\.[a-z0-9]{1,3})?")
texts = st.text(st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S", "Zs"]), max_size=12)
ports = st.integers(10_000, 65_535)
images = st.sampled_from(["nginx:1.29", "busybox", "mirror.example.com:5000/a/b@sha256:" + "0" * 64])

map_keys = st.builds(
    lambda prefix, name: prefix + name,
    st.sampled_from(["", "example.com/", "app.kubernetes.io/"]),
    matching(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,6}[A-Za-z0-9])?"),
).filter(lambda key: key != "app")
label_maps = st.dictionaries(map_keys, matching(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,6}[A-Za-z0-9])?)?"), max_size=3)
annotation_maps = st.dictionaries(map_keys, texts, max_size=3)

v4 = st.ip_addresses(v=4, network="10.0.0.0/8").map(str) | st.ip_addresses(v=4, network="192.168.0.0/16").map(str)
v6 = st.ip_addresses(v=6, network="fd00::/8").map(str)
cidrs = st.sampled_from(
    [
        "10.244.0.0/16",
        "10.96.0.0/12",
        "192.168.7.0/24",
        "192.0.2.1/32",
        "fd00:10:244::/64",
        "2001:db8::/32",
        "fd00::1/128",
    ]
)

# A container and what is in it

env_names = matching(r"[A-Za-z_][A-Za-z0-9_]{0,6}")
env_variables = st.one_of(
    st.fixed_dictionaries({"name": env_names}, optional={"value": texts}),
    st.fixed_dictionaries(
        {
            "name": env_names,
            "valueFrom": st.sampled_from(
                [
                    {"fieldRef": {"fieldPath": "metadata.name"}},
                    {"secretKeyRef": {"name": "s", "key": "k", "optional": True}},
                    {"configMapKeyRef": {"name": "c", "key": "k"}},
                    {"resourceFieldRef": {"resource": "limits.cpu"}},
                ]
            ),
        }
    ),
)
resources = some(
    requests=some(cpu=matching(r"[1-9][0-9]{0,2}m"), memory=matching(r"[1-9](Mi|M|Ki|k)?")),
    limits=some(cpu=matching(r"[1-9](\.5)?"), memory=matching(r"[1-9](Gi|G)")),
)
handlers = st.one_of(
    st.fixed_dictionaries({"port": ports}, optional={"path": st.just("/ok"), "scheme": st.just("HTTPS")}).map(
        lambda get: {"httpGet": get}
    ),
    st.builds(lambda port: {"tcpSocket": {"port": port}}, ports),
    st.builds(lambda port: {"grpc": {"port": port}}, ports),
    st.just({"exec": {"command": ["true"]}}),
)
probes = st.builds(
    lambda handler, timing: {**handler, **timing},
    handlers,
    some(
        periodSeconds=st.integers(1, 60),
        failureThreshold=st.integers(1, 9),
        initialDelaySeconds=st.integers(0, 9),
        timeoutSeconds=st.integers(1, 9),
    ),
)
seccomp = st.sampled_from([{"type": "RuntimeDefault"}, {"type": "Localhost", "localhostProfile": "p.json"}])
security_contexts = some(
    runAsUser=st.integers(0, 2000),
    runAsGroup=st.integers(0, 2000),
    runAsNonRoot=st.booleans(),
    readOnlyRootFilesystem=st.booleans(),
    allowPrivilegeEscalation=st.sampled_from([False]),
    capabilities=some(drop=st.just(["ALL"]), add=st.just(["NET_BIND_SERVICE"])),
    seccompProfile=seccomp,
    seLinuxOptions=some(level=st.just("s0:c1")),
)
pod_security_contexts = some(
    runAsUser=st.integers(0, 2000),
    runAsGroup=st.integers(0, 2000),
    runAsNonRoot=st.booleans(),
    fsGroup=st.integers(0, 2000),
    fsGroupChangePolicy=st.sampled_from(["Always", "OnRootMismatch"]),
    supplementalGroups=st.lists(st.integers(0, 99), max_size=2, unique=True),
    seccompProfile=seccomp,
    sysctls=st.just([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]),
)
volume_sources = st.sampled_from(
    [
        {"emptyDir": {}},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        {"configMap": {"name": "c", "optional": True}},
        {"secret": {"secretName": "s", "defaultMode": 256}},
        {"hostPath": {"path": "/srv"}},
        {"persistentVolumeClaim": {"claimName": "p"}},
        {"projected": {"sources": [{"configMap": {"name": "c"}}]}},
        {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"csi": {"driver": "example.com"}},
        {"nfs": {"server": "192.0.2.1", "path": "/"}},
        {"ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
    ]
)  # fmt: skip


@st.composite
def containers(draw: st.DrawFn, name: str, volumes: list[str], *, init: bool = False) -> Json:
    """A container that mounts some of the volumes."""
    mounts = draw(several(st.sampled_from(volumes), most=2)) if volumes else []
    probing = some(livenessProbe=probes.map(with_one_success), readinessProbe=probes, startupProbe=probes)
    fields = some(
        args=st.just(["-v"]),
        command=st.just(["sh", "-c", 'exec "$0" $(HOSTNAME) $$']),
        env=several(env_variables, by="name"),
        envFrom=several(st.sampled_from([{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}])),
        imagePullPolicy=st.sampled_from(["Always", "IfNotPresent", "Never"]),
        lifecycle=st.nothing() if init else st.just({"preStop": {"exec": {"command": ["sleep", "1"]}}}),
        ports=several(st.sampled_from([80, 443]).map(lambda port: {"containerPort": port, "name": f"{name}-{port}"})),
        resources=resources,
        securityContext=security_contexts,
        stdin=st.booleans(),
        terminationMessagePolicy=st.sampled_from(["File", "FallbackToLogsOnError"]),
        tty=st.booleans(),
        workingDir=st.just("/srv"),
    )
    mounted = [{"name": volume, "mountPath": f"/mnt/{n}"} for n, volume in enumerate(mounts)]
    if init and draw(st.booleans()):
        return {"name": name, "image": "busybox", "restartPolicy": "Always", "volumeMounts": mounted, **draw(probing)}
    return {
        "name": name,
        "image": draw(images),
        "volumeMounts": mounted,
        **draw(fields),
        **({} if init else draw(probing)),
    }


def with_one_success(probe: Json) -> Json:
    return {**probe, "successThreshold": 1}


# A pod

affinity = st.just(
    {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "kubernetes.io/hostname"}
            ]
        },
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}
            ]
        },
    }
)
pod_fields = some(
    affinity=affinity,
    dnsConfig=some(options=st.just([{"name": "ndots", "value": "2"}]), searches=st.just(["a.b"])),
    enableServiceLinks=st.booleans(),
    hostAliases=several(st.builds(lambda ip: {"ip": ip, "hostnames": ["a"]}, v4 | v6), by="ip"),
    hostIPC=st.sampled_from([False]),
    imagePullSecrets=several(st.builds(lambda name: {"name": name}, object_names), by="name"),
    nodeSelector=label_maps,
    readinessGates=st.just([{"conditionType": "example.com/ready"}]),
    schedulerName=labels,
    securityContext=pod_security_contexts,
    setHostnameAsFQDN=st.booleans(),
    shareProcessNamespace=st.booleans(),
    terminationGracePeriodSeconds=st.integers(0, 600),
    tolerations=several(
        st.sampled_from([{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoExecute"}]),
    ),
    topologySpreadConstraints=st.just(
        [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}]
    ),
)


@st.composite
def pod_specs(draw: st.DrawFn, claims: tuple[str, ...] = ()) -> Json:
    """PodSpecs as Kubernetes writes them."""
    volumes = [{"name": f"v{n}", **source} for n, source in enumerate(draw(several(volume_sources, most=3)))]
    names = [*(volume["name"] for volume in volumes), *claims]
    count, before = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    spec = draw(pod_fields)
    spec["containers"] = [draw(containers(f"c{n}", names)) for n in range(count)]
    if before:
        spec["initContainers"] = [draw(containers(f"i{n}", names, init=True)) for n in range(before)]
    for number, (_, container) in enumerate(pod_spec.containers(spec)):  # Kubernetes warns of a port that two have
        for port in container.get("ports", ()):
            port["containerPort"] += 10_000 * (number + 1)
    if volumes:
        spec["volumes"] = volumes
    return spec


@st.composite
def claims(draw: st.DrawFn, name: str) -> Json:
    """A volume claim template."""
    spec = draw(some(storageClassName=object_names, volumeMode=st.just("Filesystem")))
    spec["accessModes"] = draw(st.sampled_from([["ReadWriteOnce"], ["ReadWriteMany", "ReadOnlyMany"]]))
    spec["resources"] = {"requests": {"storage": draw(matching(r"[1-9][0-9]?(Mi|Gi)"))}}
    return {"metadata": {"name": name, **draw(some(labels=label_maps, annotations=annotation_maps))}, "spec": spec}


# The choices

secrets = matching(r"[A-Za-z0-9-]{1,12}")
ephemeral = st.sampled_from([None, True, False])
auths: st.SearchStrategy[Auth] = st.one_of(
    st.builds(
        OAuthClient,
        client_id=st.none() | secrets,
        client_secret=secrets.map("tskey-client-{}".format),
        ephemeral=ephemeral,
    ),
    st.builds(OAuthClient, client_secret=secrets.map("tskey-client-{}?ephemeral=true".format)),
    st.builds(OAuthClient, existing_secret=object_names, ephemeral=ephemeral),
    st.builds(AuthKey, auth_key=secrets.map("tskey-auth-{}".format) | secrets.map("hskey-auth-{}".format)),
    st.builds(AuthKey, existing_secret=object_names),
    st.builds(WorkloadIdentity, client_id=secrets, audience=secrets, ephemeral=ephemeral),
    st.builds(WorkloadIdentity, client_id=secrets, audience=secrets, token=st.just("projected"), ephemeral=ephemeral),
    st.builds(WorkloadIdentity, existing_secret=object_names, ephemeral=ephemeral),
    st.builds(WorkloadIdentity, existing_secret=object_names, audience=secrets, token=st.just("projected")),
)
states = st.one_of(
    st.builds(
        SecretState, access=st.sampled_from(["scoped", "guarded", "open"]), max_replicas=st.none() | st.integers(3, 5)
    ),
    st.builds(
        PersistentVolumeState,
        size=matching(r"([1-9][0-9]?(\.5)?|0\.5)(Mi|Gi|M|G)"),
        storage_class=st.none() | object_names,
    ),
    st.builds(EmptyDirState),
)
domains = matching(r"[a-z]{1,3}\.[a-z]{2,3}")
kernel_dns = st.one_of(
    st.builds(
        InPodSplitDns,
        tailnet_domains=st.lists(domains, min_size=1, max_size=2, unique=True),
        ready_port=st.integers(1, 4999),
    ),
    st.just(InPodSplitDns()),
    st.just(SplitDns()),
    st.just(ClusterDns()),
)
tun_devices = st.sampled_from(["devic.es/tun", "squat.ai/tun", "example.com/dev_net-tun.0"])
kernels = st.one_of(
    st.builds(KernelNetworking, tun_device=st.none() | tun_devices, user_namespace=st.booleans()),
    st.just(KernelNetworking(privileged=False)),
)
switches = [
    f"--{flag}" for flag in FREE_FLAGS if flag not in ("exit-node", "exit-node-allow-lan-access", "netfilter-mode")
]
flags = several(st.sampled_from([*switches, "--netfilter-mode=off"]))

optional_arguments: dict[str, st.SearchStrategy[Any]] = {
    "labels": label_maps,
    "annotations": annotation_maps,
    "persistent_volume_claim_retention_policy": some(
        whenDeleted=st.sampled_from(["Delete", "Retain"]), whenScaled=st.sampled_from(["Delete", "Retain"])
    ),
    "update_strategy": st.sampled_from(
        [{"type": "OnDelete"}, {"type": "RollingUpdate"}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}]
    ),
    "min_ready_seconds": st.integers(0, 60),
    "revision_history_limit": st.integers(0, 20),
    "ordinals_start": st.integers(0, 7),
    "publish_not_ready_addresses": st.booleans(),
    "service_annotations": annotation_maps,
    "pod_management_policy": st.sampled_from(["OrderedReady", "Parallel"]),
    "allow_registration_burst": st.booleans(),
    "hostname": matching(r"[a-z0-9]([a-z0-9-]{0,54}[a-z0-9])?"),
    "advertise_exit_node": st.booleans(),
    "login_server": st.sampled_from(["https://hs.example.com", "http://10.0.0.1:8080", "https://example.com/path"]),
    "metrics": st.booleans(),
    "metrics_port": st.integers(5000, 9002),  # 9003 is the default of `ready_port`
    "wait_for_tailnet": st.booleans(),
    "image": st.sampled_from(["ghcr.io/tailscale/tailscale:v1.102.5", "m.example.com/t@sha256:" + "0" * 64]),
    "dns_image": images,
    "image_pull_policy": st.sampled_from(["Always", "IfNotPresent", "Never"]),
    "resources": resources,
    "dns_resources": resources,
    "service_account_name": object_names,
    "service_account_annotations": annotation_maps,
    "mount_token_in_app": st.booleans(),
    "extra_args": flags,
    "env": st.dictionaries(env_names.map("X{}".format), texts, max_size=3),
}


@st.composite
def arguments(draw: st.DrawFn) -> Json:
    """Arguments of the component, as a user writes them."""
    own_claims = [draw(claims(f"d{n}")) for n in range(draw(st.integers(0, 2)))]
    spec = draw(pod_specs(tuple(claim["metadata"]["name"] for claim in own_claims)))
    chosen: Json = {
        "pod_spec": spec,
        "auth": draw(auths),
        "state": draw(states),
        "replicas": draw(st.integers(0, 3)),
        "tags": draw(st.sampled_from([["tag:k8s"], ["tag:a", "tag:b-1"]])),
        "advertise_routes": draw(several(cidrs)),
        "volume_claim_templates": own_claims,
        **draw(some(**optional_arguments)),
    }
    secret = getattr(chosen["auth"], "client_secret", None)
    if isinstance(secret, str) and "baseURL=" not in secret:
        chosen.pop("login_server", None)  # an OAuth client of Tailscale's own
    if "service_account_name" in chosen:
        chosen.pop("service_account_annotations", None)  # are of the component's own account
    if draw(st.booleans()):
        networking = draw(kernels)
        chosen |= {"networking": networking, "dns": draw(kernel_dns)}
        if not networking.can_route:  # such a pod cannot set the sysctl by itself
            context = spec.setdefault("securityContext", {})
            context["sysctls"] = [{"name": "net.ipv4.ip_forward", "value": "1"}]
    else:
        chosen |= {"networking": UserspaceNetworking(proxy_port=draw(st.integers(1, 4999))), "dns": ClusterDns()}
        spec.setdefault("securityContext", {}).setdefault("fsGroup", 1000)
    if draw(st.booleans()):
        chosen |= {"accept_routes": True, "cluster_cidrs": draw(several(cidrs, least=1, most=4))}
        if not chosen.get("advertise_exit_node") and draw(st.booleans()):
            through = ["--exit-node=100.64.0.9", "--exit-node-allow-lan-access"]
            chosen["extra_args"] = [*chosen.get("extra_args", ()), *through]
    if chosen.get("pod_management_policy") == "Parallel" and chosen["state"].outlives_pod:
        chosen["registration_rate"] = draw(st.none() | st.sampled_from([0.1, 2, 7.5]))
    mountable = [v["name"] for v in spec.get("volumes", ())]
    mounts_it: bool = draw(st.booleans())
    if mountable and mounts_it:
        chosen["sidecar_volume_mounts"] = [{"name": mountable[0], "mountPath": "/extra"}]
    return chosen
