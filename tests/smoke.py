"""Tries the main job on a cluster and a tailnet of your own, with the images that users run: `make smoke KUBECONFIG=...`.

It takes what the demo takes (python -m tests.demo --help), deploys the same example, and leaves nothing. The app's
image needs getent and curl, as nginx's has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.demo import Demo, Replica, on_own_cluster, print_comparison, print_table, run_and_report
from tests.lab import LabError
from tests.lab.shell import step, wait_for


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks; returns their exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.smoke", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of your own cluster")
    kubeconfig: Path = parser.parse_args(arguments).kubeconfig
    return run_and_report(lambda: on_own_cluster(kubeconfig.expanduser(), check))


def check(demo: Demo) -> None:
    """Deploys the example and checks what it promises, before and after a crash and a deleted pod."""
    demo.deploy()
    first, second = demo.replicas()
    print_table([first, second])
    check_app(demo, first, second)
    with step(f"killing tailscaled in {first.pod}, and waiting for its next start"):
        restarts = sidecar_restarts(demo, first.pod)
        demo.kubectl("exec", first.pod, "--container=tailscale", "--", "sh", "-c", "kill -9 $(pidof tailscaled)")
        wait_for("the sidecar's next start", lambda: sidecar_restarts(demo, first.pod) > restarts, 120)
        demo.await_pods()
    check_app(demo, first, second)
    demo.replace(first)
    after = demo.replica(first.pod)
    print_comparison(first, after)
    check_app(demo, after, second)


def check_app(demo: Demo, one: Replica, other: Replica) -> None:
    """Looks a name of the cluster and one of the tailnet up in an app, and asks the other replica over the tailnet."""
    commands = (
        ("getent", "ahosts", "kubernetes.default"),
        ("getent", "ahosts", other.name),
        ("curl", f"http://{other.name}/"),
    )
    for command in commands:
        with step(f"{one.pod}: {' '.join(command)}"):
            wait_for(" ".join(command), partial(succeeds, demo, one.pod, command), 30)


def succeeds(demo: Demo, pod: str, command: Sequence[str]) -> bool:
    """Whether a command in the app ends well."""
    try:
        demo.kubectl("exec", pod, "--container=app", "--", *command)
    except LabError:
        return False
    return True


def sidecar_restarts(demo: Demo, pod: str) -> int:
    """How often the pod's sidecar was started again."""
    path = '{.status.initContainerStatuses[?(@.name=="tailscale")].restartCount}'
    return int(demo.kubectl("get", "pod", pod, f"--output=jsonpath={path}"))


if __name__ == "__main__":
    sys.exit(main())
