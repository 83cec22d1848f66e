"""The lab as tests see it: a cluster of one node and a tailnet, which can be broken on purpose."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from . import cgroups, components, images, namespace, pki, processes, setup
from .components import COMPONENTS, Component
from .processes import Process
from .settings import (
    API_SERVER,
    BIN,
    CACHE,
    DISKS,
    KUBECONFIG,
    NAME,
    NODE,
    PKI,
    RUN,
    STATE,
    SYSTEM_PATH,
    TAILNET_URL,
)
from .shell import LabError, locked, run, say, step, wait_for

VOLUMES = 8  # available at the start
KEEPS_DISKS = STATE / "keeps-disks"  # written by a stop that leaves them for the next start
BOOTED = RUN / "booted"  # written at the end of a start: one that was killed has not prepared all
NODE_COMPONENTS = tuple(c.name for c in COMPONENTS.values() if c.group == cgroups.NODE)


@dataclass(frozen=True)
class Lab:
    """A running lab. Get one by `Lab.start()`."""

    kubeconfig: Path = KUBECONFIG
    bin: Path = BIN
    api_server: str = API_SERVER
    tailnet_url: str = TAILNET_URL
    certificate_authority: Path = PKI / "ca.crt"

    # -- life ------------------------------------------------------------------------------

    @staticmethod
    def start() -> Lab:
        """Boot everything that is not up; clean up first what a killed start or test left."""
        setup.ensure()
        with locked(CACHE / "lab.lock", "starts or stops the lab"):
            lab = Lab()
            if lab.is_healthy():
                if not setup.is_current():
                    say("! it runs programs built before the last change; `down`, then `up`")
                return lab
            lab._clean_up(keep_disks=KEEPS_DISKS.exists())
            with step("booting"):
                lab._boot()
            KEEPS_DISKS.unlink(missing_ok=True)
            BOOTED.touch()
            return lab

    def stop(self, *, keep_disks: bool = False) -> None:
        """Stop everything and leave nothing, or only the disks, for a start that is a reboot."""
        with locked(CACHE / "lab.lock", "starts or stops the lab"):
            if keep_disks and STATE.exists():
                KEEPS_DISKS.touch()
                running = [Process.recorded(name) for name in COMPONENTS if name != "node"]
                with ThreadPoolExecutor() as pool:  # let them write down what they have in mind
                    list(pool.map(lambda process: process.stop(5), filter(None, running)))
            self._clean_up(keep_disks=keep_disks)

    def is_healthy(self) -> bool:
        """Whether all components run and say that they are ready."""
        return BOOTED.exists() and all(ready for _, _, ready in self.status())

    def status(self) -> list[tuple[str, int | None, bool]]:
        """Each component's name, process and readiness."""

        def look(component: Component) -> tuple[str, int | None, bool]:
            process = Process.recorded(component.name)
            if process is None or not process.runs():
                return component.name, None, False
            return component.name, process.pid, is_ready(component)

        def look_at_all() -> list[tuple[str, int | None, bool]]:
            return [look(component) for component in COMPONENTS.values()]

        return namespace.inside(look_at_all) if namespace.exists() else []

    def _boot(self) -> None:
        pki.ensure()
        setup.link_programs()
        components.write_config()
        cgroups.create()
        namespace.create()
        self.start_components(("node", "etcd", "kube-apiserver", "upstream-dns", "tailnet"))
        with ThreadPoolExecutor() as pool:
            imported = pool.submit(self._boot_containerd)
            self._await("kube-apiserver")
            self.start_components(("kube-controller-manager", "kube-scheduler"))
            self.kubectl("apply", "--filename", str(components.GENERATED / "cluster.yaml"))
            if not any((DISKS / "volumes").iterdir()):
                self.add_volumes(VOLUMES)
            self.start_components(("coredns", "kube-proxy"))
            imported.result()
        began = now()
        self.start_components(("kubelet", "tun-device-plugin"))
        self._await(*COMPONENTS)
        self._await_node(began)
        account = ("get", "serviceaccount/default", "--namespace=default", "--ignore-not-found", "--output=name")
        wait_for("the default ServiceAccount", lambda: bool(self.kubectl(*account)))  # `kubectl wait` can't before 1.31

    def _boot_containerd(self) -> None:
        self.start_components(("containerd",))
        self._await("containerd")
        self.on_node(
            *(str(self.bin / "ctr"), "--address", str(components.CONTAINERD_SOCKET), "--namespace", "k8s.io"),
            *("images", "import", str(images.ensure())),
        )

    def _clean_up(self, *, keep_disks: bool) -> None:
        """Remove all traces of a lab; none of the steps minds that there is nothing to do."""
        cgroups.kill()
        cgroups.delete()
        namespace.delete()
        if keep_disks:
            shutil.rmtree(RUN, ignore_errors=True)
        elif STATE.exists():
            shutil.rmtree(STATE)

    # -- use -------------------------------------------------------------------------------

    def enter(self) -> None:
        """Put the calling thread, and what it starts from now on, into the lab's network.

        Call it early in the main thread: threads that run already stay where they are.
        """
        namespace.enter()

    def environment(self) -> dict[str, str]:
        """The environment for a command that uses the lab: it reaches no proxy from there."""
        own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        path = f"{self.bin}:{own.get('PATH', SYSTEM_PATH)}"
        return {**own, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as the administrator; return what it prints."""
        command = namespace.command([str(self.bin / "kubectl"), *arguments])
        return run(command, stdin=stdin, env=self.environment())

    def on_node(self, *command: str) -> str:
        """Run a command that sees the node's network, mounts and state folders."""
        return run(components.on_node(list(command)))

    def logs(self, component: str) -> str:
        """All that a component has logged since the lab was started."""
        return processes.log(known(component).name).read_text(errors="replace")

    def add_volumes(self, count: int) -> None:
        """Make local volumes of the storage class `lab` available. One serves one claim, ever."""
        with locked(RUN / "volumes.lock", "adds volumes"):
            taken = len(list((DISKS / "volumes").iterdir()))
            names = [f"lab-{number:03}" for number in range(taken + 1, taken + count + 1)]
            for name in names:
                (DISKS / "volumes" / name).mkdir()
        manifests = (
            components.filled("volume.yaml", name=name, path=f"/var/lib/volumes/{name}", node=NODE) for name in names
        )
        if count:
            self.kubectl("create", "--filename=-", stdin="".join(manifests))

    # -- faults ----------------------------------------------------------------------------

    def kill(self, component: str) -> None:
        """Kill a component (SIGKILL); nothing starts it again by itself."""
        if process := Process.recorded(known(component).name):
            process.kill()

    def stop_component(self, component: str) -> None:
        """Stop a component in its own time."""
        if process := Process.recorded(known(component).name):
            process.stop()

    def start_component(self, component: str) -> None:
        """Start a component that does not run, and wait until it is ready."""
        self.start_components((component,))
        self._await(component)

    def restart(self, component: str) -> None:
        """Stop a component and start it again."""
        self.stop_component(component)
        self.start_component(component)

    def reboot_node(self, *, control_planes: bool = False) -> None:
        """Let the node crash and come back with its disks.

        Pods and their mounts and networks go at once, as when the power is cut; the kubelet
        then starts the same pods again. API server and tailnet stay up; if they are to reboot
        as well, the network goes too, and who had entered it must do so again.
        """
        if control_planes:
            self.stop(keep_disks=True)
            Lab.start()
            return
        for group in (cgroups.NODE, "kubepods"):
            cgroups.kill(group)
        cgroups.delete("kubepods")
        namespace.forget_pods()
        components.NODE_READY.unlink(missing_ok=True)
        self.start_components(("node", "containerd", "kube-proxy"))
        self._await("containerd")
        began = now()
        self.start_components(("kubelet", "tun-device-plugin"))
        self._await(*NODE_COMPONENTS)
        self._await_node(began)

    @contextlib.contextmanager
    def other_pod_network(self, subnet: str) -> Iterator[None]:
        """Give the pods that start meanwhile an address of this IPv4 subnet."""
        file = components.CNI / "05-other.conflist"
        file.write_text(json.dumps(components.pod_network(f"{NAME}-other", "cni1", subnet)))
        try:
            yield
        finally:
            file.unlink()

    def start_components(self, names: Iterable[str]) -> None:
        """Start those of the components that do not run, without waiting."""
        for component in map(known, names):
            process = Process.recorded(component.name)
            if process is None or not process.runs():
                if component is components.CONTAINERD:
                    components.CONTAINERD_SOCKET.unlink(missing_ok=True)
                component.launch()
                if component is components.NODE_HOLDER:
                    self._await("node")  # others start in its namespace

    # -- waiting ---------------------------------------------------------------------------

    def _await(self, *names: str) -> None:
        """Wait until components are ready; fail at once if one of them ends."""

        def check(component: Component) -> bool:
            process = Process.recorded(component.name)
            if process is None or not process.runs():
                raise LabError(f"{component.name} ended:\n{last_words(component.name)}")
            return is_ready(component)

        def wait() -> None:
            for component in map(known, names):
                wait_for(f"{component.name} to be ready", partial(check, component), 90)

        namespace.inside(wait)

    def _await_node(self, since: str) -> None:
        """Wait until the node has said that it is ready, after a moment."""

        def said() -> bool:
            try:
                node = get_json(f"/api/v1/nodes/{NODE}")
            except OSError:
                return False
            return any(
                condition["type"] == "Ready"
                and condition["status"] == "True"
                and condition["lastHeartbeatTime"] >= since
                for condition in node["status"].get("conditions", ())
            )

        namespace.inside(lambda: wait_for("the node to be Ready", said, 90))


def known(name: str) -> Component:
    """The component of that name."""
    if name not in COMPONENTS:
        raise LabError(f"no component {name!r}; there are {', '.join(COMPONENTS)}")
    return COMPONENTS[name]


def last_words(name: str) -> str:
    """The end of a component's log."""
    lines = processes.log(name).read_text(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-8:])


def is_ready(component: Component) -> bool:
    """Whether a component says so; to be asked inside the namespace."""
    if component.ready.startswith("http"):
        return answers(component.ready)
    if component is components.CONTAINERD:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(component.ready)
            return True
        return False
    return Path(component.ready).exists()


def tls() -> ssl.SSLContext:
    """Be the administrator. Some components' own certificates are signed by nobody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(pki.certificate("admin"), pki.private_key("admin"))
    return context


def answers(url: str) -> bool:
    """Whether a URL answers 200."""
    try:
        with direct().open(url, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        pass  # nobody listens yet
    return False


def get_json(path: str) -> Any:
    """Read an object from the API server."""
    with direct().open(API_SERVER + path, timeout=5) as response:
        return json.load(response)


def direct() -> urllib.request.OpenerDirector:
    """An HTTP client that knows no proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls()))


def now() -> str:
    """This second, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
