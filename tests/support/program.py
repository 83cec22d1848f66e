"""A user's Pulumi program on the lab: written, changed and deployed as a user does it, and what became of it."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from tailscale_sidecar import ClusterDns
from tests.lab import LabError
from tests.lab.shell import wait_for
from tests.lab.tailnet_client import Device
from tests.support.deployment import APP, QUIET, Workspace
from tests.support.pulumi_cli import PulumiCli
from tests.support.stack import Stack
from tests.support.virtualenv import virtualenv

PROJECT = """\
name: engine
runtime: {{name: python, options: {{virtualenv: {virtualenv}}}}}
"""
HEAD = """\
import pulumi
import pulumi_kubernetes as k8s
from tailscale_sidecar import *

config = pulumi.Config()
"""
SHORT_TIMEOUT = "pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create='5s', update='5s'))"


class Source(str):
    """Python source, where another string would be a literal."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return str(self)


@dataclass
class Program:
    """A program, its stack, and the namespace that it deploys to."""

    workspace: Workspace
    stack: Stack
    client_id: str
    client_secret: str
    head: str = HEAD
    components: dict[str, dict[str, object]] = field(default_factory=dict)
    tail: str = ""
    """Source that follows the components, which it finds in the dict `components`."""

    @staticmethod
    def create(workspace: Workspace, cli: PulumiCli, folder: Path) -> Program:
        """An empty program, with an OAuth client of its own in its configuration."""
        project = folder / "project"
        project.mkdir()
        (project / "Pulumi.yaml").write_text(PROJECT.format(virtualenv=virtualenv()), encoding="utf-8")
        stack = Stack(cli, project, workspace.lab.environment())
        program = Program(workspace, stack, *workspace.tailnet.oauth_client())
        stack.init(clientId=program.client_id, clientSecret=program.client_secret)
        return program

    def add(self, name: str = "app", **arguments: object) -> Component:
        """Adds a component with the least arguments on the lab, and others; they are written by their `repr`."""
        least = {
            "pod_spec": {"containers": [APP], "terminationGracePeriodSeconds": 5},
            "auth": Source(
                "OAuthClient(client_id=config.get('clientId'), client_secret=config.get_secret('clientSecret'))"
            ),
            "namespace": self.workspace.namespace,
            "login_server": self.workspace.tailnet.url,
            "tags": ["tag:k8s"],
            "dns": ClusterDns(),
            "env": QUIET,
        }
        unique = f"{name}-{secrets.token_hex(2)}"
        self.components[unique] = {**least, **arguments}
        return Component(self, unique)

    def write(self) -> None:
        """Writes the program."""
        text = self.head + "components = {}\n"
        for name, arguments in self.components.items():
            given = {key: value for key, value in arguments.items() if key not in ("opts", "pulumi_name")}
            written = "".join(f"    {key}={value!r},\n" for key, value in given.items())
            opts = f", opts={arguments['opts']!r}" if "opts" in arguments else ""
            in_pulumi = arguments.get("pulumi_name", name)
            made = f"TailscaleSidecarStatefulSet({in_pulumi!r}, TailscaleSidecarStatefulSetArgs(\n{written}){opts})"
            text += f"components[{name!r}] = {made}\n"
        (self.stack.project / "__main__.py").write_text(text + self.tail, encoding="utf-8")

    def up(self) -> str:
        """Writes and deploys the program; returns what Pulumi printed."""
        self.write()
        return self.stack.up()

    def credential_requests(self) -> int:
        """How often its OAuth client asked for a token or a key."""
        return len([r for r in self.workspace.tailnet.credential_requests() if r.get("client") == self.client_id])

    def settle(self) -> None:
        """Deploys the program; fails if a second `up` would change anything."""
        self.up()
        self.stack.expect_no_changes()


@dataclass(frozen=True)
class Component:
    """One component of a program."""

    program: Program
    name: str
    """In Kubernetes, and in Pulumi unless the program gives another `pulumi_name`."""

    def change(self, **arguments: object) -> None:
        """Changes arguments in the program; `up` deploys them."""
        self.program.components[self.name].update(arguments)

    @property
    def replicas(self) -> int:
        """How many replicas the program asks for."""
        return int(str(self.program.components[self.name].get("replicas", 1)))

    def pods(self) -> dict[str, str]:
        """Each pod's UID."""
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            for pod in self.program.workspace.find_all("Pod", f"app={self.name}")
        }

    def state_secrets(self) -> dict[str, dict[str, str]]:
        """What each state Secret holds; of whatever replica, also of one that has gone."""
        found = [
            s
            for s in self.program.workspace.find_all("Secret")
            if s["metadata"]["name"].rpartition("-")[0] == self.name
        ]
        states = {s["metadata"]["name"]: s.get("data", {}) for s in found if s["metadata"]["name"][-1].isdigit()}
        return {name: {k: base64.b64decode(v).decode() for k, v in data.items()} for name, data in states.items()}

    def devices(self) -> list[Device]:
        """All devices that its replicas ever registered."""
        return self.program.workspace.tailnet.devices(self.name)

    def count(self) -> tuple[int, int, int]:
        """Its devices, its state Secrets, and how often the program's replicas asked Tailscale's API for a token or key."""
        return len(self.devices()), len(self.state_secrets()), self.program.credential_requests()

    def identities(self) -> dict[str, tuple[str, ...]]:
        """Each replica's keys in its Secret, and what the tailnet knows it by. Fails where two devices share a name."""
        devices = {device.hostname: device for device in self.devices()}
        assert len(devices) == len(self.devices())
        return {
            name: (*private_keys(data), devices[name].id, devices[name].node_key, *devices[name].addresses)
            for name, data in self.state_secrets().items()
        }


def private_keys(state: dict[str, str]) -> tuple[str, str]:
    """The machine key and the node key in a state Secret: with them, a pod is that device."""
    profile = json.loads(state[state["_current-profile"]])
    return state["_machinekey"], profile["Config"]["PrivateNodeKey"]


def everything(program: Program) -> set[str]:
    """All objects of the program's namespace, events apart, and the cluster-scoped ones that bear its names."""
    workspace = program.workspace
    names = (workspace.namespace, *program.components)

    def listed(*, namespaced: bool) -> list[str]:
        scope = f"--namespaced={str(namespaced).lower()}"
        kinds = workspace.kubectl("api-resources", "--verbs=list", scope, "--output=name").split()
        asked = ",".join(kind for kind in kinds if not kind.startswith("events"))
        return workspace.kubectl("get", asked, "--output=name", "--ignore-not-found").splitlines()

    cluster_scoped = {found for found in listed(namespaced=False) if any(name in found for name in names)}
    return cluster_scoped | set(listed(namespaced=True))


def await_nothing_but(expected: set[str], program: Program) -> None:
    """Waits until Kubernetes has collected what lost its owner; fails if not exactly these objects are left then."""
    try:
        wait_for("everything else to be gone", lambda: everything(program) == expected, 30)
    except LabError:
        assert everything(program) == expected
