"""A workload that runs Tailscale as a sidecar, made with the component or by hand: what its pod template asks for."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ..clients.rbac import service_account
from ..pod.contract import AUTH_VOLUME, METRICS_PORT, QUAD100, RESOLV_CONF
from ..pod.objects import Json
from ..pod.rules import release
from .start_command import Start, parsed_flags, start_of
from .unknown_values import UnknownError, known_items

POD_NAME = "{metadata.name}"
"""Stands for the pod's name in values that differ from pod to pod."""
POD_INDEX = "{metadata.labels['apps.kubernetes.io/pod-index']}"
NODE_NAME = "{spec.nodeName}"
"""Stands for the name of the pod's node."""
KINDS = ("StatefulSet", "Deployment")
"""Workloads that are looked for."""
OPERATOR_LABEL = "tailscale.com/managed"
"""On what Tailscale's operator makes (tailscale.com@v1.102.5 kube/kubetypes/types.go:61): that is the operator's to tend."""
CONTAINERBOOT_VARIABLES = (
    "TS_ACCEPT_DNS",
    "TS_AUTH_ONCE",
    "TS_DEST_IP",
    "TS_EXTRA_ARGS",
    "TS_KUBE_SECRET",
    "TS_ROUTES",
    "TS_SERVE_CONFIG",
    "TS_TAILNET_TARGET_FQDN",
    "TS_TAILNET_TARGET_IP",
    "TS_TAILSCALED_EXTRA_ARGS",
    "TS_USERSPACE",
)
"""A container that has one of these runs containerboot, whatever its image is called. Programs that are devices by
themselves (tsnet) read others: TS_AUTHKEY, TS_CLIENT_ID and TS_CLIENT_SECRET, TS_HOSTNAME and TS_STATE_DIR by custom."""
STATE_FILE = "tailscaled.state"
"""In the state's folder. It is a JSON object of the same keys and base64 values as the data of a state Secret
(tailscale.com@v1.102.5 ipn/store/stores.go, ipn/store/kubestore)."""
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("0", "f", "F", "false", "False", "FALSE"), False),
}
"""What Go's strconv.ParseBool takes."""


@dataclass(frozen=True)
class StateStore:
    """Where tailscaled keeps the identity."""

    kind: Literal["secret", "volume", "pod", "container", "memory", "elsewhere"]
    """`pod`: an emptyDir, gone with the pod. `container`: the container's own files, gone with each restart.
    `elsewhere`: a store outside of the cluster, such as AWS Systems Manager's."""
    name: str = ""
    """Of the Secret, as a pattern of the pod's name, or of the store elsewhere."""
    file: str = ""
    """Path of the state in the container, if it is a file."""


@dataclass(frozen=True)
class Workload:
    """A StatefulSet, Deployment, DaemonSet, Job, CronJob or Pod that runs Tailscale."""

    manifest: Json

    @property
    def kind(self) -> str:
        """Such as `StatefulSet`."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """Of the workload."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Of the workload; `default` where the manifest names none."""
        return str(self.manifest["metadata"].get("namespace") or "default")

    @property
    def ref(self) -> str:
        """How findings name it."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def replicas(self) -> int:
        """How many pods it asks for."""
        replicas = self.manifest["spec"].get("replicas")
        return 1 if replicas is None else int(replicas)

    @property
    def runs_on(self) -> bool:
        """Whether its pods are not there to end."""
        return self.kind not in ("Job", "CronJob")

    @property
    def pods_wanted(self) -> int:
        """How many pods there have to be now: of a DaemonSet one for each node, of a Job none when it is through.

        Of a CronJob one, which may have ended: its status tells of its Jobs too late.
        """
        spec, status = self.manifest["spec"], self.manifest.get("status") or {}
        if self.kind == "DaemonSet":
            return int(status.get("desiredNumberScheduled", 0))
        if self.kind == "CronJob":
            return 1
        if self.kind == "Job":
            over = any(
                c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in status.get("conditions") or ()
            )
            left = int(spec.get("completions") or 1) - int(status.get("succeeded", 0))
            return 0 if over or spec.get("suspend") else max(0, min(int(spec.get("parallelism", 1)), left))
        return self.replicas

    @property
    def is_of_cron_job(self) -> bool:
        """Whether it is a Job that a CronJob has made on time."""
        owners = self.manifest["metadata"].get("ownerReferences") or ()
        return any(owner["kind"] == "CronJob" and is_job_of(self.name, owner["name"]) for owner in owners)

    @property
    def selector(self) -> dict[str, str]:
        """The labels that its pods have."""
        return dict((self.manifest["spec"].get("selector") or {}).get("matchLabels") or {})

    @property
    def pod_spec(self) -> Json:
        """The pods' spec."""
        spec: Json = self.pod_template["spec"]
        return spec

    @property
    def pod_template(self) -> Json:
        """What its pods are made from; a Pod is its own."""
        return pod_template(self.manifest)

    @property
    def pod_names(self) -> list[str]:
        """Names that its pods have; none in a Deployment, whose pods are named at random."""
        first = int((self.manifest["spec"].get("ordinals") or {}).get("start", 0))
        ordinals = range(first, first + self.replicas)
        return [f"{self.name}-{ordinal}" for ordinal in ordinals] if self.kind == "StatefulSet" else []

    # -- the sidecar -----------------------------------------------------------------------

    @cached_property
    def sidecar(self) -> Json:
        """The container that runs Tailscale."""
        found = sidecar_of(self.pod_spec)
        if found is None:
            raise ValueError(f"{self.ref} runs no tailscale container")
        return found

    @property
    def containers(self) -> list[Json]:
        """All containers that last: the native sidecars and the pod's own."""
        return lasting_containers(self.pod_spec)

    @property
    def all_containers(self) -> list[Json]:
        """All containers, those that end before the others start too."""
        return [*(self.pod_spec.get("initContainers") or ()), *(self.pod_spec.get("containers") or ())]

    @property
    def is_alone(self) -> bool:
        """Whether the pods have no container but the sidecar, init containers aside."""
        return all(container is self.sidecar for container in self.containers)

    @property
    def is_component(self) -> bool:
        """Whether this component made it: the scripts then do what a hand-written manifest leaves undone."""
        return "CREDENTIAL_FILE" in self._own_env

    @cached_property
    def env(self) -> dict[str, str]:
        """The sidecar's variables, `$(NAME)` filled in. What differs from pod to pod is in braces, such as `POD_NAME`.

        Where tailscaled is started by the author's own command, they are what containerboot would do the same with.
        """
        return {**self._own_env, **((self.start and self.start.variables) or {})}

    @cached_property
    def _own_env(self) -> dict[str, str]:
        return {name: self._of_template(value) for name, value in environment(self.sidecar).items()}

    def _of_template(self, value: str) -> str:
        """A value with those fields of the pod filled in that are the same for each of its pods."""
        return re.sub(r"\{(metadata|spec)\.([^{}]*)\}", lambda match: self._field(match[2]) or match[0], value)

    def _field(self, path: str) -> str:
        """A field of the pods, if all have the same; nothing where they have not."""
        if path == "namespace":
            return self.namespace
        if path == "serviceAccountName":
            return service_account(self.pod_spec)
        if path == "labels['statefulset.kubernetes.io/pod-name']":
            return POD_NAME
        keyed = re.fullmatch(r"(labels|annotations)\['([^']*)'\]", path)
        metadata = self.pod_template.get("metadata") or {}
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], "")) if keyed else ""

    @cached_property
    def start(self) -> Start | None:
        """What the sidecar starts; None where its command does not tell."""
        return Start() if self.is_component else start_of(self.sidecar, self._own_env, POD_NAME)

    @cached_property
    def flags(self) -> dict[str, str]:
        """Flags of `tailscale up`; one without a value has `true`."""
        return parsed_flags(self.env.get("TS_EXTRA_ARGS", ""))

    @cached_property
    def daemon_flags(self) -> dict[str, str]:
        """Flags of tailscaled that are given beside containerboot's own, and after them."""
        return parsed_flags(self.env.get("TS_TAILSCALED_EXTRA_ARGS", ""))

    @property
    def image(self) -> str:
        """The sidecar's image."""
        return str(self.sidecar.get("image", ""))

    @property
    def release(self) -> tuple[int, int, int] | None:
        """The release of Tailscale that the image's tag names, if it is an image of Tailscale's and names one."""
        return release(self.image) if is_tailscale_image(self.image) else None

    # -- its choices -----------------------------------------------------------------------

    @property
    def is_kernel(self) -> bool:
        """Whether it makes a tun device in the pod (containerboot's own default is userspace)."""
        userspace = is_true(self.env.get("TS_USERSPACE", ""), default=True)
        device = self.daemon_flags.get("tun", "userspace-networking" if userspace else "tailscale0")
        return "userspace-networking" not in device.split(",")

    @property
    def is_privileged(self) -> bool:
        """Whether the sidecar is privileged."""
        return bool((self.sidecar.get("securityContext") or {}).get("privileged"))

    @property
    def device_resources(self) -> list[str]:
        """Resources of device plugins that the sidecar asks for, such as `devic.es/tun`."""
        limits = (self.sidecar.get("resources") or {}).get("limits") or {}
        return [name for name in limits if "/" in name]

    @property
    def has_user_namespace(self) -> bool:
        """Whether the pods ask for users of their own."""
        return self.pod_spec.get("hostUsers") is False

    @property
    def runtime_class(self) -> str:
        """The container runtime that it asks for by name; nothing where it takes the nodes' own."""
        return str(self.pod_spec.get("runtimeClassName", ""))

    @property
    def accepts_dns(self) -> bool:
        """Whether tailscaled takes over the resolv.conf that it sees."""
        return is_true(self.flags.get("accept-dns", ""), default=is_true(self.env.get("TS_ACCEPT_DNS", "")))

    @property
    def accepts_routes(self) -> bool:
        """Whether it uses the subnet routes of other devices."""
        return is_true(self.flags.get("accept-routes", "false"))

    @property
    def tags(self) -> list[str]:
        """The tags that it asks for."""
        return [tag for tag in self.flags.get("advertise-tags", "").split(",") if tag]

    @property
    def shares_resolv_conf(self) -> bool:
        """Whether the resolv.conf that tailscaled rewrites is the one that the pod's other containers read."""
        own = any(m.get("mountPath") == RESOLV_CONF for m in self.sidecar.get("volumeMounts") or ())
        return not own and not self.is_component

    @property
    def app_nameserver(self) -> str:
        """The resolver that the component gives the app; nothing where the app has the kubelet's own."""
        return self.env.get("APP_NAMESERVER", "")

    @property
    def asks_tailscale_for_all(self) -> bool:
        """Whether the app's look-ups of the cluster's names go to Tailscale's resolver too."""
        takes_over = self.is_kernel and self.accepts_dns
        return takes_over and (self.shares_resolv_conf or self.app_nameserver == QUAD100)

    @property
    def guarded_cidrs(self) -> list[str]:
        """CIDRs that the component's rules keep out of Tailscale's routing table."""
        listed = self.env.get("CLUSTER_CIDRS", "")
        return [cidr for cidr in listed.split(",") if cidr]

    @property
    def auth(self) -> str:
        """`OAuthClient`, `AuthKey`, `WorkloadIdentity`, or nothing."""
        flag = self.env.get("CREDENTIAL_FLAG")
        if flag is not None:
            known = {"--client-secret": "OAuthClient", "--client-id": "WorkloadIdentity"}
            return known.get(flag, "AuthKey")
        if "TS_CLIENT_SECRET" in self.env:
            return "OAuthClient"
        if "TS_ID_TOKEN" in self.env or "TS_AUDIENCE" in self.env:
            return "WorkloadIdentity"
        return "AuthKey" if "TS_AUTHKEY" in self.env or "TS_AUTH_KEY" in self.env else ""

    @property
    def credential_references(self) -> list[tuple[str, str]]:
        """The Secrets, each with a key, that hold what the sidecar logs in with."""
        file = self.env.get("CREDENTIAL_FILE", "").rpartition("/")[2]
        volumes = {v["name"]: v.get("secret") or {} for v in self.pod_spec.get("volumes") or ()}
        mounted = volumes.get(AUTH_VOLUME, {}).get("secretName")
        if file and mounted:
            return [(mounted, file)]
        sources = {v["name"]: (v.get("valueFrom") or {}).get("secretKeyRef") for v in self.sidecar.get("env") or ()}
        names = ("TS_AUTHKEY", "TS_AUTH_KEY", "TS_CLIENT_ID", "TS_CLIENT_SECRET")
        found = [reference for name in names if (reference := sources.get(name))]
        return [(ref["name"], ref["key"]) for ref in found if not ref.get("optional")]

    @property
    def health_ports(self) -> tuple[int, ...]:
        """Ports of the sidecar's `/healthz` and `/metrics`, the metrics' first: one, unless an older variable has two."""
        local, older = (
            int(port) if (port := self.env.get(name, "").rpartition(":")[2]).isdigit() else None
            for name in ("TS_LOCAL_ADDR_PORT", "TS_HEALTHCHECK_ADDR_PORT")
        )
        return tuple(dict.fromkeys([local or METRICS_PORT, *([older] if older else [])]))

    @cached_property
    def state(self) -> StateStore:
        """By containerboot's own precedence, and then tailscaled's.

        tailscale.com@v1.102.5 cmd/containerboot/tailscaled.go:69, cmd/tailscaled/tailscaled.go (statePathOrDefault).
        """
        secret, folder = self.env.get("TS_KUBE_SECRET", "tailscale"), self.env.get("TS_STATE_DIR", "")
        usual = f"kube:{secret}" if secret else "" if folder else "mem:"
        where = self.daemon_flags.get("state", usual)
        store, _, name = where.partition(":")
        if store == "kube":
            return StateStore("secret", name)
        if store == "mem":
            return StateStore("memory")
        if store == "arn":
            return StateStore("elsewhere", where)
        file = where or f"{self.daemon_flags.get('statedir', folder).rstrip('/')}/{STATE_FILE}"
        return StateStore(self._volume_kind(file), file=file)

    def _volume_kind(self, file: str) -> Literal["volume", "pod", "container"]:
        """What a file of the sidecar is on."""
        mount = mount_at(self.sidecar, file)
        if mount is None:
            return "container"
        volumes = {volume["name"]: volume for volume in self.pod_spec.get("volumes") or ()}
        return "pod" if "emptyDir" in volumes.get(mount["name"], {}) else "volume"  # else one of the claims

    def state_secret(self, pod: str, node: str = "") -> str:
        """Name of a pod's state Secret; nothing where the state is elsewhere, or the Secret that of a node not known yet."""
        name = for_pod(self.state.name, pod, node) if self.state.kind == "secret" else ""
        return "" if NODE_NAME in name else name

    def hostname(self, pod: str, node: str = "") -> str:
        """The name that a pod's device asks for; without one, Tailscale takes the machine's, which is the pod's."""
        return for_pod(self.env.get("TS_HOSTNAME") or POD_NAME, pod, node)


def is_job_of(job: str, cron_job: str) -> bool:
    """Whether a Job has the name that a CronJob's controller gives: the CronJob's, and the time in minutes.

    Source: k8s.io/kubernetes@v1.37.2 pkg/controller/cronjob/cronjob_controllerv2.go, getJobName.
    """
    return re.fullmatch(rf"{re.escape(cron_job)}-\d+", job) is not None


def workloads(manifests: Iterable[Json], kinds: Container[str] = KINDS) -> Iterator[Workload]:
    """Those of the manifests that run Tailscale, without what belongs to Tailscale's operator."""
    for manifest in manifests:
        if manifest.get("kind") not in kinds:
            continue
        with suppress(UnknownError):  # what is not known to run Tailscale is none of them
            if not is_operators(manifest) and sidecar_of(pod_template(manifest).get("spec") or {}) is not None:
                yield Workload(manifest)


def is_operators(manifest: Json) -> bool:
    """Whether Tailscale's operator made it. That leaves nothing unknown."""
    with suppress(UnknownError):
        return bool((manifest["metadata"].get("labels") or {}).get(OPERATOR_LABEL) == "true")
    return False


def pod_template(manifest: Json) -> Json:
    """What a workload's pods are made from: metadata and spec; empty where it has none."""
    if manifest["kind"] == "Pod":
        return manifest
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return spec.get("template") or {}


def sidecar_of(pod_spec: Json) -> Json | None:
    """The container that runs containerboot or tailscaled, if there is one."""
    return next(iter(sidecars_of(pod_spec)), None)


def sidecars_of(pod_spec: Json) -> list[Json]:
    """The containers that do, as far as is known: those of Tailscale's image, then those that are told what it is told."""
    native = filter(is_native_sidecar, known_items(pod_spec, "initContainers"))
    lasting: list[Json] = [*native, *known_items(pod_spec, "containers")]
    found: list[Json] = []
    for runs_it in (has_tailscale_image, has_variables, starts_tailscale):
        for container in lasting:
            with suppress(UnknownError):
                if container not in found and runs_it(container):
                    found.append(container)
    return found


def is_native_sidecar(container: Json) -> bool:
    """Whether an init container goes on beside the pod's own containers, as far as that is known."""
    with suppress(UnknownError):
        return bool(container.get("restartPolicy") == "Always")
    return False


def has_tailscale_image(container: Json) -> bool:
    """Whether a container's image is called `tailscale`."""
    return is_tailscale_image(str(container.get("image", "")))


def has_variables(container: Json) -> bool:
    """Whether a container has variables that containerboot alone reads."""
    return any(variable.get("name") in CONTAINERBOOT_VARIABLES for variable in known_items(container, "env"))


def starts_tailscale(container: Json) -> bool:
    """Whether a container's command starts tailscaled or containerboot."""
    text = " ".join(map(str, (*(container.get("command") or ()), *(container.get("args") or ()))))
    return re.search(r"(^|[\s;&|/(])(tailscaled|containerboot)($|[\s;&|)])", text) is not None


def lasting_containers(pod_spec: Json) -> list[Json]:
    """A pod's native sidecars and containers, without the init containers that end."""
    native = [c for c in pod_spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return [*native, *(pod_spec.get("containers") or ())]


def is_tailscale_image(image: str) -> bool:
    """Whether an image is called `tailscale`, in any registry."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0] == "tailscale"


def environment(container: Json) -> dict[str, str]:
    """A container's variables: `$(NAME)` filled in, a field of the pod as its path in braces, all else empty."""
    env: dict[str, str] = {}

    def fill_in(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else env.get(match[1], match[0])

    for variable in container.get("env") or ():
        source, text = variable.get("valueFrom") or {}, variable.get("value") or ""
        field = (source.get("fieldRef") or {}).get("fieldPath")
        # With a source, the value is what was read from there (env_sources.py), in which Kubernetes fills in nothing.
        env[variable["name"]] = (
            f"{{{field}}}" if field else text if source else re.sub(r"\$\$|\$\(([^)]*)\)", fill_in, text)
        )
    return env


def is_true(text: str, *, default: bool = False) -> bool:
    """A Boolean as Go reads it. What is none, such as `yes`, is containerboot's default."""
    return BOOLEANS.get(text, default)


def mount_at(container: Json, path: str) -> Json | None:
    """The volume mount that a path of a container lies in."""
    mounts: list[Json] = container.get("volumeMounts") or []
    parents = [m for m in mounts if path and f"{path}/".startswith(f"{m['mountPath'].rstrip('/')}/")]
    return max(parents, key=lambda mount: len(mount["mountPath"]), default=None)


def for_pod(pattern: str, pod: str, node: str = "") -> str:
    """A value that differs from pod to pod, for one of them; that of a node only where the node is known."""
    known = pattern.replace(NODE_NAME, node) if node else pattern
    return known.replace(POD_NAME, pod).replace(POD_INDEX, pod.rpartition("-")[2])
