"""Deploys the component on the lab, from the objects that it renders, and looks at what became of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from tailscale_sidecar import OAuthClient, TailscaleSidecarStatefulSet, TailscaleSidecarStatefulSetArgs
from tailscale_sidecar.choices.auth import Auth
from tailscale_sidecar.render.render import plain, record
from tests.lab import Lab, LabError
from tests.lab.images import APP_IMAGE, TAILSCALE_IMAGE
from tests.lab.shell import wait_for
from tests.lab.tailnet_client import Device, Tailnet
from tests.support.api import Api

APP: dict[str, Any] = {"name": "app", "image": APP_IMAGE}
RENDERER = ThreadPoolExecutor(1, initializer=lambda: asyncio.set_event_loop(asyncio.new_event_loop()))
"""Pulumi's runtime is one for the process, and wants an event loop: one thread uses it, for whichever deploys."""
QUIET = {"TS_NO_LOGS_NO_SUPPORT": "true"}
"""The lab has no way out, so tailscaled need not try to upload its logs."""


@dataclass(frozen=True)
class Workspace:
    """A namespace of the lab."""

    lab: Lab
    tailnet: Tailnet
    namespace: str

    @staticmethod
    @contextmanager
    def temporary(lab: Lab, tailnet: Tailnet) -> Iterator[Workspace]:
        """A namespace that goes with everything in it."""
        name = f"test-{secrets.token_hex(3)}"
        api = Api.of(lab)
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        try:
            # Without it no pod can be created.
            wait_for("the default ServiceAccount", lambda: api.find("ServiceAccount", "default", name) is not None)
            yield Workspace(lab, tailnet, name)
        finally:
            api.delete("Namespace", name)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """kubectl in this namespace."""
        return self.lab.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def kubectl_as(self, token: str, *arguments: str, stdin: str = "") -> str:
        """kubectl in this namespace, as whoever has a token."""
        server = (f"--server={self.lab.api_server}", f"--certificate-authority={self.lab.certificate_authority}")
        return self.kubectl("--kubeconfig=/dev/null", *server, f"--token={token.strip()}", *arguments, stdin=stdin)

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object as the API server has it, or None."""
        return Api.of(self.lab).find(kind, name, self.namespace)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object that is there."""
        found = self.find(kind, name)
        if found is None:
            raise LabError(f"there is no {kind} {name}")
        return found

    def find_all(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """All objects of a kind."""
        return Api.of(self.lab).find_all(kind, self.namespace, selector)

    def apply(self, objects: list[dict[str, Any]]) -> None:
        """Applies objects as `pulumi up` would."""
        for one in objects:
            Api.of(self.lab).apply(one, self.namespace)

    def oauth(self, **options: Any) -> OAuthClient:
        """An OAuth client of the test's own, so that its API requests can be told from others'."""
        client_id, client_secret = self.tailnet.oauth_client()
        return OAuthClient(client_id=client_id, client_secret=client_secret, **options)

    def deploy(self, name: str = "app", *, wait: bool = True, **arguments: Any) -> Deployment:
        """Deploys the component under a name that no other test has; see `lab_arguments` for the defaults."""
        deployment = Deployment(self, f"{name}-{secrets.token_hex(2)}", self.arguments(**arguments))
        deployment.apply(wait=wait)
        return deployment

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """The component's arguments on the lab, with changes."""
        defaults: dict[str, Any] = {
            "pod_spec": {"containers": [APP], "terminationGracePeriodSeconds": 5},
            "namespace": self.namespace,
            "login_server": self.tailnet.url,
            "tags": ["tag:k8s"],
            "image": TAILSCALE_IMAGE,  # another than the default where the lab is of another release
        }
        if "auth" not in changes:
            defaults["auth"] = self.oauth()
        return {**defaults, **changes, "env": {**QUIET, **changes.get("env", {})}}


@dataclass
class Deployment:
    """One component on the lab."""

    workspace: Workspace
    name: str
    arguments: dict[str, Any]
    health_path: ClassVar[str] = "/healthz"
    """What answers 200 on port 9002 when the sidecar is up."""

    @property
    def replicas(self) -> int:
        """How many replicas were asked for."""
        return int(self.arguments.get("replicas", 1))

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The component's objects."""
        return RENDERER.submit(self._render).result()

    def _render(self) -> list[dict[str, Any]]:
        args = TailscaleSidecarStatefulSetArgs(**self.arguments)
        found = record(lambda: TailscaleSidecarStatefulSet(self.name, args), namespace=self.workspace.namespace)
        return [plain(item, show_secrets=True) for item in found]

    def apply(self, *, wait: bool = True) -> None:
        """Applies the objects; waits until all replicas are ready."""
        objects = self.objects
        (stateful_set,) = [found for found in objects if found["kind"] == "StatefulSet"]
        claims = len(stateful_set["spec"].get("volumeClaimTemplates", ()))
        self.workspace.lab.add_volumes(claims * self.replicas)
        self.workspace.apply(objects)
        if wait:
            self.await_ready()

    def change(self, *, wait: bool = True, **changes: Any) -> None:
        """Applies changed arguments, as an `up` would."""
        self.arguments = {**self.arguments, **changes}
        self.apply(wait=wait)

    def await_ready(self, seconds: int = 120) -> None:
        """Waits for the roll-out; a failure shows what the pods say."""
        self.wait_for("the roll-out", lambda: is_rolled_out(self.workspace.get("StatefulSet", self.name)), seconds)

    def describe(self) -> str:
        """What a person would look at first: the pods, the events, and the logs of the first replica that is not ready."""
        look: list[tuple[str, ...]] = [("get", "pods", "--output=wide"), ("get", "events", "--sort-by=.lastTimestamp")]
        # One at least: a test may have scaled it up by itself.
        every = [self.containers(ordinal) for ordinal in range(self.replicas or 1)]
        ordinal = next((o for o, found in enumerate(every) if not found or not all(c["ready"] for c in found)), 0)
        for container in every[ordinal]:
            log = ("logs", self.pod(ordinal), f"--container={container['name']}", "--tail=40")
            look += [(*log, "--previous")] if container["restartCount"] else []
            look += [log]
        return "\n".join(self._try(*command) for command in look)

    def containers(self, ordinal: int = 0) -> list[dict[str, Any]]:
        """The statuses of a replica's containers, those for its start first."""
        status = self.status(ordinal)
        return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]

    def _try(self, *command: str) -> str:
        try:
            return self.workspace.kubectl(*command)
        except LabError as error:
            return str(error)

    def pod(self, ordinal: int = 0) -> str:
        """Name of a replica's pod, which is also the host name of its device."""
        return f"{self.name}-{ordinal}"

    def device(self, ordinal: int = 0) -> Device:
        """A replica's device."""
        return self.workspace.tailnet.device(self.pod(ordinal))

    def devices(self) -> list[Device]:
        """All devices that this component's replicas ever registered and that are still there."""
        return self.workspace.tailnet.devices(self.name)

    def exec(self, *command: str, ordinal: int = 0, container: str = "app") -> str:
        """Runs a command in a container of a replica; returns what it prints."""
        return Api.of(self.workspace.lab).exec(self.pod(ordinal), self.workspace.namespace, container, command)

    def status(self, ordinal: int = 0) -> dict[str, Any]:
        """The status of a replica's pod; empty while there is none."""
        pod = self.workspace.find("Pod", self.pod(ordinal))
        return dict(pod["status"]) if pod else {}

    def restarts(self, ordinal: int = 0, container: str = "tailscale") -> int:
        """How often a container was restarted."""
        (count,) = [int(c["restartCount"]) for c in self.containers(ordinal) if c["name"] == container]
        return count

    def logs(self, ordinal: int = 0, container: str = "tailscale", *, previous: bool = False) -> str:
        """A container's log."""
        api = Api.of(self.workspace.lab)
        return api.logs(self.pod(ordinal), self.workspace.namespace, container, previous=previous)

    def delete_pods(self, *ordinals: int, seconds: int = 120) -> None:
        """Deletes pods and waits until their successors are ready."""
        gone = [self.uid(ordinal) for ordinal in ordinals]
        for ordinal in ordinals:
            Api.of(self.workspace.lab).delete("Pod", self.pod(ordinal), self.workspace.namespace)
        # The StatefulSet's own status may be of before, if its controller is slow to learn of the deletion.
        self.wait_for("successors", lambda: all(self.uid(o) not in ("", *gone) for o in ordinals), seconds)
        self.wait_for("them to be ready", lambda: all(map(self.is_ready, ordinals)), seconds)

    def is_ready(self, ordinal: int = 0) -> bool:
        """Whether a replica's pod is Ready."""
        conditions = self.status(ordinal).get("conditions", ())
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def uid(self, ordinal: int = 0) -> str:
        """Of a replica's pod, or nothing while there is none."""
        pod = self.workspace.find("Pod", self.pod(ordinal))
        return str(pod["metadata"]["uid"]) if pod else ""

    def credential_requests(self) -> list[dict[str, Any]]:
        """The requests for tokens and keys that this component's OAuth client made."""
        auth: Auth = self.arguments["auth"]
        client = getattr(auth, "client_id", None)
        return [r for r in self.workspace.tailnet.credential_requests() if r.get("client") == client]

    def wait_for(self, what: str | Callable[[], str], condition: Callable[[], bool], seconds: float = 60) -> None:
        """Waits for a condition; a failure shows what the pods say."""
        try:
            wait_for(what, condition, seconds)
        except LabError as error:
            raise LabError(f"{error}\n{self.describe()}") from None


def is_rolled_out(found: dict[str, Any]) -> bool:
    """Whether a StatefulSet has all replicas that it is to have, as it is to have them: what `kubectl rollout status` waits for."""
    spec, status = found["spec"], found["status"]
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return False
    kept = spec["updateStrategy"].get("rollingUpdate", {}).get("partition", 0)
    updated = status.get("updatedReplicas", 0) >= spec["replicas"] - kept
    done = kept > 0 or status.get("updateRevision") == status.get("currentRevision")
    return bool(status.get("readyReplicas", 0) >= spec["replicas"] and updated and done)
