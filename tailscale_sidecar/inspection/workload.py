"""A workload that runs Tailscale as a sidecar, made with the component or by hand: what its pod template asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ..pod.contract import AUTH_VOLUME, METRICS_PORT, QUAD100, RESOLV_CONF
from ..pod.objects import Json
from ..pod.rules import release

POD_NAME = "{metadata.name}"
"""Stands for the pod's name in values that differ from pod to pod."""
POD_INDEX = "{metadata.labels['apps.kubernetes.io/pod-index']}"
OPERATOR_LABEL = "tailscale.com/managed"
"""On what Tailscale's operator makes (tailscale.com@v1.102.5 kube/kubetypes/types.go:61): that is the operator's to tend."""
TAILSCALE_VARIABLES = ("TS_AUTHKEY", "TS_CLIENT_ID", "TS_EXTRA_ARGS", "TS_KUBE_SECRET", "TS_STATE_DIR", "TS_USERSPACE")
"""A container that has one of these runs containerboot, whatever its image is called."""
TRUE = ("1", "t", "true")
"""What Go's strconv.ParseBool takes for true, in lower case."""


@dataclass(frozen=True)
class StateStore:
    """Where tailscaled keeps the identity."""

    kind: Literal["secret", "volume", "pod", "container", "memory"]
    """`pod`: an emptyDir, gone with the pod. `container`: the container's own files, gone with each restart."""
    name: str = ""
    """Of the Secret, as a pattern of the pod's name."""


@dataclass(frozen=True)
class Workload:
    """A StatefulSet or Deployment whose pods run Tailscale."""

    manifest: Json

    @property
    def kind(self) -> str:
        """`StatefulSet` or `Deployment`."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """Of the workload."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Of the workload; `default` where the manifest names none."""
        return str(self.manifest["metadata"].get("namespace", "default"))

    @property
    def ref(self) -> str:
        """How findings name it."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def replicas(self) -> int:
        """How many pods it asks for."""
        return int(self.manifest["spec"].get("replicas", 1))

    @property
    def selector(self) -> dict[str, str]:
        """The labels that its pods have."""
        return dict(self.manifest["spec"].get("selector", {}).get("matchLabels", {}))

    @property
    def pod_spec(self) -> Json:
        """The pods' spec."""
        spec: Json = self.manifest["spec"]["template"]["spec"]
        return spec

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
    def is_component(self) -> bool:
        """Whether this component made it: the scripts then do what a hand-written manifest leaves undone."""
        return "CREDENTIAL_FILE" in self.env

    @cached_property
    def env(self) -> dict[str, str]:
        """The sidecar's variables, `$(NAME)` filled in. What differs from pod to pod is in braces, such as `POD_NAME`."""
        return environment(self.sidecar)

    @cached_property
    def flags(self) -> dict[str, str]:
        """Flags of `tailscale up`; one without a value has `true`."""
        return parsed_flags(self.env.get("TS_EXTRA_ARGS", ""))

    @property
    def image(self) -> str:
        """The sidecar's image."""
        return str(self.sidecar.get("image", ""))

    @property
    def release(self) -> tuple[int, int, int] | None:
        """The release that the image's tag names, if it names one."""
        return release(self.image)

    # -- its choices -----------------------------------------------------------------------

    @property
    def is_kernel(self) -> bool:
        """Whether it makes a tun device in the pod (containerboot's own default is userspace)."""
        userspace = is_true(self.env.get("TS_USERSPACE", "true"))
        return not userspace and "userspace-networking" not in self.env.get("TS_TAILSCALED_EXTRA_ARGS", "")

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
    def runtime_class(self) -> str:
        """The container runtime that it asks for by name; nothing where it takes the nodes' own."""
        return str(self.pod_spec.get("runtimeClassName", ""))

    @property
    def accepts_dns(self) -> bool:
        """Whether tailscaled takes over the resolv.conf that it sees."""
        return is_true(self.flags.get("accept-dns", self.env.get("TS_ACCEPT_DNS", "false")))

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
        own = any(m.get("mountPath") == RESOLV_CONF for m in self.sidecar.get("volumeMounts", ()))
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

    def init_container(self, name: str) -> Json:
        """An init container; empty if there is none of that name."""
        return next((c for c in self.pod_spec.get("initContainers", ()) if c.get("name") == name), {})

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
        """Ports of the sidecar's `/healthz` and `/metrics`."""
        port = self.env.get("TS_LOCAL_ADDR_PORT", "").rpartition(":")[2]
        return (int(port) if port.isdigit() else METRICS_PORT,)

    @cached_property
    def state(self) -> StateStore:
        """By containerboot's own precedence (tailscale.com@v1.102.5 cmd/containerboot/tailscaled.go:69)."""
        if "--state=mem:" in self.env.get("TS_TAILSCALED_EXTRA_ARGS", ""):
            return StateStore("memory")
        secret = self.env.get("TS_KUBE_SECRET", "tailscale")
        if secret:
            return StateStore("secret", secret)
        folder = self.env.get("TS_STATE_DIR", "")
        return StateStore(self._volume_kind(folder)) if folder else StateStore("memory")

    def _volume_kind(self, folder: str) -> Literal["volume", "pod", "container"]:
        """What a folder of the sidecar is on."""
        mounts = {m["mountPath"].rstrip("/"): m["name"] for m in self.sidecar.get("volumeMounts", ())}
        parents = [path for path in mounts if f"{folder}/".startswith(f"{path}/")]
        if not parents:
            return "container"
        volume = mounts[max(parents, key=len)]
        for found in self.pod_spec.get("volumes", ()):
            if found["name"] == volume:
                return "pod" if "emptyDir" in found else "volume"
        return "volume"  # one of the StatefulSet's claims

    def state_secret(self, pod: str) -> str:
        """Name of a pod's state Secret; nothing where the state is elsewhere."""
        return for_pod(self.state.name, pod) if self.state.kind == "secret" else ""

    def hostname(self, pod: str) -> str:
        """The name that a pod's device asks for; without one, Tailscale takes the machine's, which is the pod's."""
        return for_pod(self.env.get("TS_HOSTNAME") or POD_NAME, pod)


def workloads(manifests: Iterable[Json]) -> Iterator[Workload]:
    """Those of the manifests that run Tailscale, without what belongs to Tailscale's operator."""
    for manifest in manifests:
        if manifest.get("kind") not in ("StatefulSet", "Deployment"):
            continue
        if (manifest["metadata"].get("labels") or {}).get(OPERATOR_LABEL) == "true":
            continue
        if sidecar_of(manifest["spec"]["template"]["spec"]) is not None:
            yield Workload(manifest)


def sidecar_of(pod_spec: Json) -> Json | None:
    """The container that runs containerboot, if there is one."""
    lasting = lasting_containers(pod_spec)
    named = [c for c in lasting if is_tailscale_image(str(c.get("image", "")))]
    by_env = [c for c in lasting if any(v["name"] in TAILSCALE_VARIABLES for v in c.get("env") or ())]
    return next(iter([*named, *by_env]), None)


def lasting_containers(pod_spec: Json) -> list[Json]:
    """A pod's native sidecars and containers, without the init containers that end."""
    native = [c for c in pod_spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return [*native, *pod_spec.get("containers", ())]


def is_tailscale_image(image: str) -> bool:
    """Whether an image is called `tailscale`, in any registry."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0] == "tailscale"


def environment(container: Json) -> dict[str, str]:
    """A container's variables: `$(NAME)` filled in, a field of the pod as its path in braces, all else empty."""
    env: dict[str, str] = {}

    def fill_in(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else env.get(match[1], match[0])

    for variable in container.get("env") or ():
        field = ((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        value = f"{{{field}}}" if field else re.sub(r"\$\$|\$\(([^)]*)\)", fill_in, variable.get("value") or "")
        env[variable["name"]] = value
    return env


def parsed_flags(text: str) -> dict[str, str]:
    """Flags in one string, as Go's flag package reads them: `--flag`, `--flag=value` or `--flag value`."""
    flags: dict[str, str] = {}
    name = ""
    for word in text.split():
        if word.startswith("-"):
            name, _, value = word.lstrip("-").partition("=")
            flags[name] = value if "=" in word else "true"
        elif name:
            flags[name] = word
    return flags


def is_true(text: str) -> bool:
    """A Boolean as Go reads it."""
    return text.lower() in TRUE


def for_pod(pattern: str, pod: str) -> str:
    """A value that differs from pod to pod, for one of them."""
    return pattern.replace(POD_NAME, pod).replace(POD_INDEX, pod.rpartition("-")[2])
