"""Shows the main job: replicas with a lasting place on a tailnet. On the lab, or on a cluster and tailnet of your own.

Without arguments it starts the lab, which needs neither a cluster nor a tailnet. With --kubeconfig it uses that cluster,
and builds nothing; TS_CLIENT_ID and TS_CLIENT_SECRET are then those of an OAuth client of your tailnet with the scope
auth_keys and the tag tag:k8s. With the scope devices:core too, the demo can also delete the devices that it made.
DEMO_APP_IMAGE (default nginx:1.29) and TS_LOGIN_SERVER (default Tailscale's) are there for mirrors and test tailnets.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tailscale_sidecar.render.render import render
from tests.lab import Lab, LabError
from tests.lab.images import APP_IMAGE
from tests.lab.settings import NAME, STATE
from tests.lab.shell import run, say, step
from tests.lab.tailnet_client import Tailnet
from tests.support import pulumi_cli
from tests.support.pulumi_cli import MissingError, PulumiCli
from tests.support.stack import REPOSITORY, PulumiError, Stack, of_repository

NAMESPACE = "tailscale-sidecar-demo"
NAMESPACE_OBJECT = {
    "apiVersion": "v1",
    "kind": "Namespace",
    # The sidecar is privileged, which some clusters refuse unless a namespace is marked so.
    "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
}
EXAMPLE = REPOSITORY / "examples/quickstart"
STATEFUL_SET = "my-app"
REPLICAS = 2
API = "https://api.tailscale.com"

INTRODUCTION = """\
Two replicas of an app on Kubernetes, each a device of a tailnet: a pod goes, its device and addresses stay.
On {where}.
"""
LOOK_AROUND = """
The lab is still up. Look around:
  {lab} run -- kubectl get all,secrets --namespace {namespace}
  {lab} run -- kubectl exec {pod} --namespace {namespace} --container tailscale -- tailscale status
  {lab} down     stops it and removes all of it
"""


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Replica:
    """A pod, and the device that it is."""

    pod: str
    uid: str
    device: str
    name: str
    addresses: tuple[str, ...]

    def address(self, version: int) -> str:
        """Its address of an IP version; a dash if it has none."""
        return next((found for found in self.addresses if ip_address(found).version == version), "-")


@dataclass(frozen=True)
class Demo:
    """The example, on a cluster and a tailnet."""

    environment: Mapping[str, str]
    """Of the commands, in full: with KUBECONFIG, and a PATH with kubectl."""
    config: Mapping[str, str]
    """Of the example."""
    stack: Stack | None
    """None where Pulumi cannot be had."""

    def show(self) -> None:
        """Deploys the example, deletes a pod, and shows that the device stayed."""
        self.deploy()
        before = self.replicas()
        print_table(before)
        self.replace(before[0])
        print_comparison(before[0], self.replica(before[0].pod))

    def deploy(self) -> None:
        """Deploys the example: by Pulumi or, without it, what Pulumi would make."""
        self.kubectl("create", "--filename=-", stdin=json.dumps(NAMESPACE_OBJECT))
        if self.stack:
            with step("pulumi up, in examples/quickstart"):
                self.stack.init(**self.config, **{"kubernetes:namespace": NAMESPACE})
                self.stack.up()
        else:
            with step("tailscale-sidecar render examples/quickstart | kubectl apply"):
                objects = render(EXAMPLE, namespace=NAMESPACE, config=self.config, show_secrets=True)
                self.kubectl("apply", "--server-side", "--filename=-", stdin=objects)
                self.await_pods()

    def replace(self, replica: Replica) -> None:
        """Deletes a pod, and waits for its successor."""
        with step(f"kubectl delete pod {replica.pod}, and waiting for its successor"):
            self.kubectl("delete", "pod", replica.pod)
            self.await_pods()

    def await_pods(self) -> None:
        """Waits until each replica is on the tailnet: the sidecar's start-up probe holds the app back until then."""
        self.kubectl("rollout", "status", f"statefulset/{STATEFUL_SET}", "--timeout=600s")

    def replicas(self) -> list[Replica]:
        """The replicas, as each says itself."""
        return [self.replica(f"{STATEFUL_SET}-{ordinal}") for ordinal in range(REPLICAS)]

    def replica(self, pod: str) -> Replica:
        """One replica, by what tailscaled in it says."""
        uid = self.kubectl("get", "pod", pod, "--output=jsonpath={.metadata.uid}")
        status = ("tailscale", "status", "--json", "--peers=false")
        device = json.loads(self.kubectl("exec", pod, "--container=tailscale", "--", *status))["Self"]
        return Replica(pod, uid, device["ID"], device["DNSName"].rstrip("."), tuple(device["TailscaleIPs"]))

    def registered(self) -> dict[str, str]:
        """The devices that the replicas registered: their names by their IDs, as the state Secrets have them."""
        secrets = json.loads(self.kubectl("get", "secrets", "--output=json"))["items"]
        data = [secret.get("data", {}) for secret in secrets]
        decoded = [{key: base64.b64decode(value).decode() for key, value in found.items()} for found in data]
        return {found["device_id"]: found["device_fqdn"].rstrip(".") for found in decoded if "device_id" in found}

    def remove(self) -> None:
        """Removes the example and its namespace, whatever there is of them."""
        if self.stack and self.stack.exists():
            try:
                with step("pulumi destroy"):
                    self.stack.destroy()
            except PulumiError as error:  # such as a lock, after an interrupted `up`
                say(f"! {error}")
        with step(f"kubectl delete namespace {NAMESPACE}"):
            self.remove_namespace()

    def remove_namespace(self) -> None:
        """Deletes the namespace, with all that is in it, and waits for that."""
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")

    def has_namespace(self) -> bool:
        """Whether the demo's namespace is there."""
        return bool(self.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found"))

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Runs kubectl in the demo's namespace."""
        program = shutil.which("kubectl", path=self.environment["PATH"])
        if program is None:
            raise DemoError("kubectl is not on PATH; get it from https://kubernetes.io/docs/tasks/tools/")
        return run([program, f"--namespace={NAMESPACE}", *arguments], stdin=stdin, env=self.environment)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kubeconfig", type=Path, help="of your own cluster, to use instead of the lab")
    options = parser.parse_args(arguments)
    if options.kubeconfig:
        return run_and_report(lambda: on_own_cluster(options.kubeconfig.expanduser(), Demo.show))
    return run_and_report(on_lab)


def run_and_report(action: Callable[[], None]) -> int:
    """Runs an action; says in a line what went wrong, and returns the exit status."""
    try:
        action()
    except (DemoError, LabError, PulumiError, OSError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


def on_lab() -> None:
    """The demo on the lab, which stays up, so that one can look around."""
    say(INTRODUCTION.format(where="a real cluster and a tailnet on this machine, without internet"))
    was_up = Lab().is_healthy()
    # Before the lab's network is entered, from which nothing can be downloaded. Both may have to be built, which takes minutes.
    with ThreadPoolExecutor(1) as pool, step("looking for Pulumi"):
        finding = pool.submit(pulumi_cli.ensure)
        lab = Lab.start()
        cli = finding.result()
    lab.enter()
    tailnet = Tailnet(lab.tailnet_url)
    client_id, client_secret = tailnet.oauth_client()
    settings = {"appImage": APP_IMAGE, "loginServer": lab.tailnet_url}
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=STATE))  # goes with the lab
    config = {"clientId": client_id, "clientSecret": client_secret, **settings}
    demo = Demo(lab.environment(), config, of_repository(cli, folder, lab.environment()))
    if demo.has_namespace():
        with step("removing what an earlier demo left"):
            client = ApiClient(*tailnet.oauth_client(scopes=("devices:core",)))
            earlier = demo.registered()
            demo.remove_namespace()
            client.delete_devices(earlier)
    demo.show()
    if os.environ.get("CI") and not was_up:
        with step("stopping the lab"):
            lab.stop()
    else:
        name = f"TAILSCALE_SIDECAR_LAB_NAME={NAME} " if "TAILSCALE_SIDECAR_LAB_NAME" in os.environ else ""
        command = f"{name}.venv/bin/python -m tests.lab"
        print(LOOK_AROUND.format(lab=command, namespace=NAMESPACE, pod=f"{STATEFUL_SET}-0"), end="")


def on_own_cluster(kubeconfig: Path, show: Callable[[Demo], None]) -> None:
    """Shows something on a cluster and tailnet of the user's own, and leaves nothing there."""
    config, client = own_config()
    if not kubeconfig.is_file():
        raise DemoError(f"there is no kubeconfig {kubeconfig}")
    say(INTRODUCTION.format(where=f"the cluster of {kubeconfig}, and your tailnet"))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig.resolve())}
    cli = find_pulumi()
    with tempfile.TemporaryDirectory(prefix="tailscale-sidecar-demo-") as folder:
        stack = of_repository(cli, Path(folder), environment) if cli else None
        demo = Demo(environment, config, stack)
        if demo.has_namespace():
            raise DemoError(
                f"the namespace {NAMESPACE} is there already; if an earlier demo left it, delete it: "
                f"kubectl --kubeconfig={kubeconfig} delete namespace {NAMESPACE}"
            )
        try:
            show(demo)
        finally:
            devices = demo.registered()
            demo.remove()
            delete_devices(client, devices)


def own_config() -> tuple[dict[str, str], ApiClient]:
    """The example's configuration, and a client of the tailnet's API, from the environment."""
    missing = [name for name in ("TS_CLIENT_ID", "TS_CLIENT_SECRET") if not os.environ.get(name)]
    if missing:
        raise DemoError(
            f"set {' and '.join(missing)}: an OAuth client of your tailnet with the scope auth_keys and the tag tag:k8s "
            "(https://login.tailscale.com/admin/settings/oauth)"
        )
    client = ApiClient(os.environ["TS_CLIENT_ID"], os.environ["TS_CLIENT_SECRET"])
    given = {"appImage": os.environ.get("DEMO_APP_IMAGE"), "loginServer": os.environ.get("TS_LOGIN_SERVER")}
    settings = {key: value for key, value in given.items() if value}
    return {"clientId": client.client_id, "clientSecret": client.client_secret, **settings}, client


def find_pulumi() -> PulumiCli | None:
    """Pulumi, or None where it cannot be had, which is no reason not to show the rest."""
    try:
        with step("looking for Pulumi"):
            return pulumi_cli.find()
    except MissingError as error:
        say(f"! without Pulumi, the objects that it would make are applied by kubectl: {error}")
        return None


@dataclass(frozen=True)
class ApiClient:
    """A client of Tailscale's API, of which deleting devices is all that is needed."""

    client_id: str
    client_secret: str

    def delete_devices(self, ids: Iterable[str]) -> None:
        """Deletes devices.

        Raises:
            OSError: The API refuses, or cannot be reached.
        """
        form = {"client_id": self.client_id, "client_secret": self.client_secret.partition("?")[0]}
        token = json.loads(self._call("POST", "oauth/token", urllib.parse.urlencode(form).encode()))["access_token"]
        for device in ids:
            self._call("DELETE", f"device/{device}", token=token)

    def _call(self, method: str, path: str, form: bytes | None = None, token: str = "") -> bytes:
        attributes = urllib.parse.parse_qs(self.client_secret.partition("?")[2])
        (base,) = attributes.get("baseURL", [API])
        header = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"{base}/api/v2/{path}", data=form, method=method, headers=header)
        handlers = [urllib.request.ProxyHandler({})] if base != API else []  # a test tailnet is at hand
        with urllib.request.build_opener(*handlers).open(request, timeout=30) as response:
            answer: bytes = response.read()
        return answer


def delete_devices(client: ApiClient, devices: Mapping[str, str]) -> None:
    """Deletes the devices from the tailnet, or says which ones stay: a device outlives its pod."""
    try:
        with step("deleting the devices from the tailnet"):
            client.delete_devices(devices)
    except OSError as error:
        say(
            f"! {' and '.join(devices.values())} stay in your tailnet: {error}. To delete devices, the OAuth client needs "
            "the scope devices:core; by hand, it is done at https://login.tailscale.com/admin/machines"
        )


def print_table(replicas: Sequence[Replica]) -> None:
    """Prints the replicas."""
    rows = [("POD", "TAILNET NAME", "IPV4", "IPV6")]
    rows += [(replica.pod, replica.name, replica.address(4), replica.address(6)) for replica in replicas]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    print("\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)


def print_comparison(before: Replica, after: Replica) -> None:
    """Prints what became of a replica.

    Raises:
        DemoError: It is another device now.
    """
    if before.uid == after.uid:
        raise DemoError(f"{before.pod} was not replaced")
    if (before.device, before.addresses) != (after.device, after.addresses):
        raise DemoError(f"{before.pod} is another device now: {', '.join(after.addresses)}")
    print(
        f"\n  {after.pod} is a new pod (UID {before.uid[:8]} before, {after.uid[:8]} now) and the same device:"
        f"\n  {after.name} is still {' and '.join(after.addresses)}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
