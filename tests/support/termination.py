"""An app that is asked for something slow, and how the containers of its pod end."""

from __future__ import annotations

from typing import Any

from tests.support.deployment import APP, Deployment

GRACE = 30
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
SLOW_POD = {"containers": [{**APP, "command": ["sh", "-c", SLOW_APP]}], "terminationGracePeriodSeconds": GRACE}


def slow_url(app: Deployment) -> str:
    """What takes the first replica 4 seconds to answer, over the tailnet."""
    return f"http://{app.device().addresses[0]}/cgi-bin/slow.cgi"


def await_request(app: Deployment) -> None:
    """Waits until the first replica has been asked."""
    app.wait_for("the request", lambda: "asked" in app.exec("ls", "/tmp"))  # noqa: S108 - in the app's container


def end(app: Deployment) -> dict[str, dict[str, Any]]:
    """Takes the pod away; returns how and when each of its containers ended, as the kubelet says."""
    # The finalizer keeps the object until all its containers' ends were seen.
    keep = '{"metadata": {"finalizers": ["lab.local/look"]}}'
    app.workspace.kubectl("patch", "pod", app.pod(), "--type=merge", f"--patch={keep}")
    app.workspace.kubectl("scale", "statefulset", app.name, "--replicas=0")
    app.wait_for("all containers to end", lambda: all(ends(app).values()))
    seen = ends(app)
    app.workspace.kubectl("patch", "pod", app.pod(), "--type=merge", '--patch={"metadata": {"finalizers": null}}')
    return seen


def ends(app: Deployment) -> dict[str, dict[str, Any]]:
    """How each container of the pod ended; empty for one that runs."""
    status = app.status()
    all_containers = status["containerStatuses"] + status["initContainerStatuses"]
    return {c["name"]: c["state"].get("terminated", {}) for c in all_containers}
