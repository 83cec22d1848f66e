"""From arguments to the pod template and the StatefulSet around it: plain functions on plain data, no engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, reduce
from importlib.resources import files
from operator import add
from typing import Any

import pulumi

from ..choices.networking.kernel_networking import ROOT
from ..pod.additions import Additions, Surroundings
from ..pod.contract import (
    INIT,
    MONITORING_PORT_NAME,
    PREPARED,
    RESOLV_CONF,
    RUN_DIR,
    RUN_VOLUME,
    SERVICE_ACCOUNT_DIR,
    SIDECAR,
    SIDECAR_RESOLV_CONF,
    TOKEN_VOLUME,
    USERSPACE_UID,
)
from ..pod.model import Input
from ..pod.objects import Json, env_field, env_value, known_items, startup_probe
from ..pod.pod_resources import with_added
from ..pod.pod_spec import containers
from .args import SidecarArgs
from .stateful_set_args import TailscaleSidecarStatefulSetArgs

TOKEN_SECONDS = 3607
"""Life of the ServiceAccount's token: what Kubernetes itself uses for the tokens that it mounts."""
DEFAULT_RESOURCES: Json = {"requests": {"cpu": "15m", "memory": "48Mi"}}
"""As measured, see docs/benchmarks.md#cost: CPU as used while idle, memory as the kubelet counts it under load; no limits."""


def surroundings(name: str, args: SidecarArgs, auth_secret: str) -> Surroundings:
    """What the choices are told. `name` is the workload's, `auth_secret` that of the Secret that the component makes."""
    return Surroundings(
        name=name,
        replicas=args.replicas,
        auth_secret=auth_secret if args.auth.existing_secret is None else args.auth.existing_secret,
        first=args.ordinals_start,
        owner=args.owner,
        outlives_pod=args.state.outlives_pod,
        waits_for_tailnet=args.wait_for_tailnet,
        dns_image=args.dns_image,
        dns_resources=args.dns_resources,
        image_pull_policy=args.image_pull_policy,
    )


def stateful_set_spec(pod: Surroundings, args: TailscaleSidecarStatefulSetArgs) -> Json:
    """The StatefulSet's `spec`."""
    name, added = pod.name, additions(pod, args)
    claims = [*args.volume_claim_templates, *added.volume_claim_templates]
    spec: Json = {
        "replicas": args.replicas,
        "serviceName": name,
        "podManagementPolicy": args.pod_management_policy,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": pod_metadata(name, args, added), "spec": pod_spec(name, args, added)},
    }
    optional = {
        "minReadySeconds": args.min_ready_seconds,
        "ordinals": {"start": args.ordinals_start} if args.ordinals_start else None,
        "updateStrategy": args.update_strategy,
        "volumeClaimTemplates": claims,
        "persistentVolumeClaimRetentionPolicy": args.persistent_volume_claim_retention_policy,
    }
    history = {} if args.revision_history_limit is None else {"revisionHistoryLimit": args.revision_history_limit}
    return {**spec, **{key: value for key, value in optional.items() if value}, **history}


def pod_metadata(name: str, args: TailscaleSidecarStatefulSetArgs, added: Additions) -> Json:
    """Labels and annotations of the pods."""
    metadata: Json = {"labels": {"app": name, **args.labels}}
    # What is said to Pulumi is about the StatefulSet; on the pods, a change of it would restart them.
    users = {key: value for key, value in args.annotations.items() if not key.startswith("pulumi.com/")}
    annotations = {**users, **dict(added.annotations)}
    return {**metadata, "annotations": annotations} if annotations else metadata


def additions(pod: Surroundings, args: SidecarArgs) -> Additions:
    """What all choices together add to the pod."""
    run = Additions(volumes=({"name": RUN_VOLUME, "emptyDir": {"medium": "Memory"}},))
    made = [choice.additions(pod) for choice in (args.auth, args.dns, args.state, args.networking)]
    return reduce(add, [*made, *([args.monitoring.additions(pod)] if args.monitoring else []), run])


def pod_spec(name: str, args: TailscaleSidecarStatefulSetArgs, added: Additions) -> Json:
    """The user's PodSpec with the sidecar in it; the ServiceAccount's token is the sidecar's alone unless asked for."""
    spec = with_sidecar(args.pod_spec, args, added, token_in_app=args.mount_token_in_app)
    return {
        **spec,
        "serviceAccountName": args.service_account_name or name,
        "automountServiceAccountToken": False,
    }


def with_sidecar(pod: Json, args: SidecarArgs, added: Additions, *, token_in_app: bool = False) -> Json:
    """A PodSpec with the sidecar in it. The sidecar's containers come first, in the order they start.

    Where there are no containers beside it, the sidecar is an ordinary one, for Kubernetes asks for one at least.
    """
    token = [_token_volume()] if args.state.in_secrets or token_in_app else []
    app_mounts = [*added.app_mounts, *([_token_mount()] if token_in_app else [])]
    keep = [_keep_container(args)] if args.networking.kernel and not args.networking.is_privileged else []
    sidecar = _sidecar(args, added, with_token=args.state.in_secrets, port=_port_name(pod))
    sidecars = [*keep, *added.sidecars, sidecar]
    ordinary = [] if pod["containers"] else [{key: sidecar[key] for key in sidecar if key != "restartPolicy"}]
    before = sidecars[:-1] if ordinary else sidecars
    init = [*before, *_with_mounts(pod.get("initContainers") or (), app_mounts)]
    spec: Json = {
        **pod,
        **args.networking.pod_fields,
        **({"initContainers": init} if init else {}),
        "containers": [*ordinary, *_with_mounts(pod["containers"], app_mounts)],
        "volumes": [*(pod.get("volumes") or ()), *added.volumes, *token],
    }
    if isinstance(pod.get("resources"), Mapping):
        spec["resources"] = with_added(pod["resources"], sidecars)
    if not args.networking.kernel and added.volume_claim_templates:
        # The sidecar is not root and must be able to write its claim; collisions.py saw to it that this hurts no other.
        default = {"fsGroup": USERSPACE_UID, "fsGroupChangePolicy": "OnRootMismatch"}
        context = pod.get("securityContext") or {}
        spec["securityContext"] = context if _is_output(context) or "fsGroup" in context else {**context, **default}
    return spec


def _port_name(pod: Json) -> str:
    """Name of the sidecar's port. What looks for a port of the app's by its name must not find the sidecar's."""
    ports = (port for _, container in containers(pod, "") for _, port in known_items(container.get("ports")))
    return "ts-metrics" if any(port.get("name") == "metrics" for port in ports) else "metrics"


def _sidecar(args: SidecarArgs, added: Additions, *, with_token: bool, port: str) -> Json:
    kernel = args.networking.kernel
    before = [*added.scripts, *(["keep.sh", "prepare.sh"] if kernel else [])]
    scripts = [*before, *(["count.sh", "serve.sh"] if args.monitoring else []), "start.sh"]
    mounts = [{"name": RUN_VOLUME, "mountPath": RUN_DIR}]
    if kernel and not args.networking.is_privileged:
        mounts.append({"name": RUN_VOLUME, "mountPath": RESOLV_CONF, "subPath": SIDECAR_RESOLV_CONF})
    mounts += [*added.mounts, *([_token_mount()] if with_token else []), *args.sidecar_volume_mounts]
    container: Json = {
        "name": SIDECAR,
        **_image(args),
        "restartPolicy": "Always",
        "command": [
            "/bin/sh",
            "-c",
            "".join(map(_script, scripts)),
            "start.sh",
            _connect_script(args),
            _tailscaled_script(args),
            *([_script("metrics.sh")] if args.monitoring else []),
        ],
        "env": _with_user_env(
            [*_pod_fields(args), *_prepare_env(args, added), *added.env, *_settings(args, added)], args
        ),
        "volumeMounts": mounts,
        "resources": _resources(args),
        "securityContext": args.networking.security_context(routes=args.routes),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if kernel:
        # Without it the app would start beside the first lines of prepare.sh where it does not wait for the tailnet, and
        # on Kubernetes 1.35 after a reboot of the node too (https://github.com/kubernetes/kubernetes/issues/137710).
        prepared = ["/bin/sh", "-c", f"until [ -e {RUN_DIR}/{PREPARED} ]; do sleep 0.05; done"]
        container["lifecycle"] = {"postStart": {"exec": {"command": prepared}}}
    ports = {port: args.metrics_port} if args.metrics else {}
    if args.monitoring:
        ports[MONITORING_PORT_NAME] = args.monitoring.port
    if ports:
        container["ports"] = [{"name": name, "containerPort": ports[name], "protocol": "TCP"} for name in ports]
    if args.wait_for_tailnet:
        container["startupProbe"] = startup_probe("/healthz", args.metrics_port)
    return container


def _prepare_env(args: SidecarArgs, added: Additions) -> list[Json]:
    """What scripts/prepare.sh asks for: the guide's sysctls, and what is kept out of the tailnet's routes."""
    if not args.networking.kernel:
        return []
    forward = (args.accept_routes and args.networking.is_privileged) or (args.routes and args.networking.can_route)
    return [
        env_field("HOST_IPS", "status.hostIPs"),
        env_value("CLUSTER_CIDRS", _joined(args.cluster_cidrs, ",")),
        env_value("FORWARD", str(forward).lower()),
        *added.prepare_env,
    ]


def _keep_container(args: SidecarArgs) -> Json:
    """Makes the resolv.conf of a sidecar that may not mount one: Kubernetes mounts only a file that is there before.

    It needs no privileges, but the same user, who has to be able to write the file.
    """
    resources = args.resources or DEFAULT_RESOURCES
    return {
        "name": INIT,
        **_image(args),
        "command": ["/bin/sh", "-c", _script("keep.sh")],
        "volumeMounts": [{"name": RUN_VOLUME, "mountPath": RUN_DIR}],
        "resources": dict(resources),
        "securityContext": {
            **ROOT,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _settings(args: SidecarArgs, added: Additions) -> list[Json]:
    """Everything that can be changed on a device. Each flag has a value, so that a changed or removed one takes effect."""
    flags = [
        "--reset",
        *([f"--advertise-tags={','.join(args.tags)}"] if args.tags else []),
        f"--accept-routes={str(args.accept_routes).lower()}",
        f"--advertise-exit-node={str(args.advertise_exit_node).lower()}",
        f"--shields-up={str(args.shields_up).lower()}",
        *([_joined(("--login-server", args.login_server), "=")] if args.login_server is not None else []),
        *added.flags,
        *args.extra_args,
    ]
    return [
        env_value("TS_HOSTNAME", args.device_name),
        env_value("TS_ROUTES", ",".join(args.advertise_routes)),
        env_value("TS_EXTRA_ARGS", _joined(flags, " ")),
        env_value("TS_TAILSCALED_EXTRA_ARGS", f"--config={RUN_DIR}/tailscaled.json"),
        env_value("TS_AUTH_ONCE", "false"),  # connect.sh decides, at each start, whether a login is needed
        env_value("TS_ENABLE_METRICS", str(args.metrics).lower()),
        env_value("TS_ENABLE_HEALTH_CHECK", str(args.wait_for_tailnet).lower()),
        env_value("TS_LOCAL_ADDR_PORT", f"$(POD_IP):{args.metrics_port}"),
        # Waiting for the control plane, a rate limit or an approval is not cured by a restart.
        env_value("TS_BOOT_TIMEOUT", "24h"),
        *([env_value("REGISTRATION_RATE", f"{args.registration_rate:g}")] if args.registration_rate else []),
    ]


def _connect_script(args: SidecarArgs) -> str:
    """What stands before the `tailscale` command; where there is a rate, it waits for the replica's turn first."""
    turn = ["turn.sh"] if args.registration_rate else []
    counting = ["count.sh", "logins.sh"] if args.monitoring else []
    return "".join(map(_script, [*turn, *counting, "connect.sh"]))


def _tailscaled_script(args: SidecarArgs) -> str:
    """What stands before `tailscaled`; where the control plane may not tell that a device was deleted, it asks."""
    watch = ["watch.sh"] if args.may_be_elsewhere else []
    counting = ["ended.sh"] if args.monitoring else []
    return "".join(map(_script, [*counting, *watch, "tailscaled.sh"]))


def _pod_fields(args: SidecarArgs) -> list[Json]:
    # Not POD_UID: with it tailscaled reports each save of its state as an Event, which takes a right more and a third of
    # a start's requests to the API server (tailscale.com@v1.104.5 kube/kubeclient/client.go, setEventPerms).
    fields = {
        "POD_NAME": "metadata.name",
        "POD_IP": "status.podIP",
        "POD_IPS": "status.podIPs",
    }
    if args.owner == "node":
        fields["NODE_NAME"] = "spec.nodeName"
    elif args.hostname is not None:
        fields["POD_INDEX"] = "metadata.labels['apps.kubernetes.io/pod-index']"
    return [env_field(variable, path) for variable, path in fields.items()]


def _with_user_env(own: list[Json], args: SidecarArgs) -> list[Json]:
    """Adds the argument `env`. It wins over defaults; what must not be changed, rules.env has refused."""
    user = [env_value(variable, value) for variable, value in args.env.items()]
    return [*(variable for variable in own if variable["name"] not in args.env), *user]


def _image(args: SidecarArgs) -> Json:
    policy = {"imagePullPolicy": args.image_pull_policy} if args.image_pull_policy else {}
    return {"image": args.image, **policy}


def _resources(args: SidecarArgs) -> Json:
    resources = DEFAULT_RESOURCES if args.resources is None else args.resources
    devices, limits = args.networking.device_limits, resources.get("limits", {})
    if not devices:
        return dict(resources)
    if isinstance(limits, pulumi.Output):
        return {**resources, "limits": limits.apply(lambda known: {**known, **devices})}
    return {**resources, "limits": {**limits, **devices}}


def _token_volume() -> Json:
    """What Kubernetes would mount by itself in every container; here the sidecar alone gets it."""
    token = {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    root = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return {"name": TOKEN_VOLUME, "projected": {"sources": [token, root, {"downwardAPI": {"items": [namespace]}}]}}


def _token_mount() -> Json:
    return {"name": TOKEN_VOLUME, "mountPath": SERVICE_ACCOUNT_DIR, "readOnly": True}


def _with_mounts(containers: Iterable[Json], mounts: list[Json]) -> list[Json]:
    if not mounts:
        return list(containers)
    return [
        {**container, "volumeMounts": [*(container.get("volumeMounts") or ()), *mounts]} for container in containers
    ]


def _joined(texts: Sequence[Input[str]], separator: str) -> Input[str]:
    """The texts as one: an Output if one of them is not known yet."""
    if not any(_is_output(text) for text in texts):
        return separator.join(str(text) for text in texts)
    return pulumi.Output.all(*texts).apply(separator.join)


def _is_output(value: Any) -> bool:
    return isinstance(value, pulumi.Output)


@cache
def _script(file: str) -> str:
    """Without its comments: at each change of a pod's status all of the pod goes to who watches it, and Pulumi keeps it twice."""
    text = files("tailscale_sidecar").joinpath("scripts", file).read_text(encoding="utf-8")
    return re.sub(r"^ *#(?!!).*\n", "", text, flags=re.MULTILINE)
