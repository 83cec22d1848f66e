"""A pod ends: first the app in its own time, with the tailnet still there, and then the sidecar."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.cluster.deployment import APP, Deployment, Workspace

from .sidecar import seconds_of

# Answers a request 4 seconds late, and after SIGTERM goes on for 6 seconds, as a server that drains does.
SLOW_APP = """\
mkdir -p /tmp/www/cgi-bin
cat >/tmp/www/cgi-bin/slow.cgi <<'END'
#!/bin/sh
touch /tmp/asked
sleep 4
printf 'Content-Type: text/plain\\r\\n\\r\\nfinished'
END
chmod +x /tmp/www/cgi-bin/slow.cgi
trap 'sleep 6; exit 0' TERM
httpd -f -p 80 -h /tmp/www &
wait
"""
GRACE = 30


def test_a_request_over_the_tailnet_is_finished_when_the_pod_is_deleted(workspace: Workspace) -> None:
    pod_spec = {
        "containers": [{**APP, "command": ["sh", "-c", SLOW_APP]}],
        "terminationGracePeriodSeconds": GRACE,
    }
    app, peer = workspace.deploy(pod_spec=pod_spec), workspace.deploy("peer")
    url = f"http://{app.device().addresses[0]}/cgi-bin/slow.cgi"
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(peer.exec, "fetch", "-timeout=20s", url)
        app.wait_for("the request", lambda: "asked" in app.exec("ls", "/tmp"))  # noqa: S108 - in the app's container
        began = time.time()
        last = last_status(app)
        assert answer.result() == "finished"
    assert time.time() - began < GRACE
    (app_ended,) = [c["state"]["terminated"] for c in last["containerStatuses"]]
    (sidecar_ended,) = [c["state"]["terminated"] for c in last["initContainerStatuses"] if c["name"] == "tailscale"]
    assert seconds_of(app_ended["finishedAt"]) <= seconds_of(sidecar_ended["finishedAt"])
    assert (app_ended["exitCode"], sidecar_ended["exitCode"]) == (0, 0)


def last_status(app: Deployment) -> dict[str, Any]:
    """Takes the pod away; returns what the kubelet last said of it."""
    pod = app.workspace.get("Pod", app.pod())
    # The finalizer keeps the object until all its containers' ends were seen.
    keep = '{"metadata": {"finalizers": ["lab.local/look"]}}'
    app.workspace.kubectl("patch", "pod", app.pod(), "--type=merge", f"--patch={keep}")
    app.workspace.kubectl("scale", "statefulset", app.name, "--replicas=0")
    names = [c["name"] for c in pod["status"]["containerStatuses"] + pod["status"]["initContainerStatuses"]]
    app.wait_for("all containers to end", lambda: len(terminated(app)) == len(names))
    status = app.status()
    app.workspace.kubectl("patch", "pod", app.pod(), "--type=merge", '--patch={"metadata": {"finalizers": null}}')
    return status


def terminated(app: Deployment) -> list[str]:
    status = app.status()
    all_containers = status["containerStatuses"] + status["initContainerStatuses"]
    return [c["name"] for c in all_containers if "terminated" in c["state"]]
