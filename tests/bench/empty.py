"""The component's pods with nothing to do in them: what Kubernetes itself takes to start so many containers."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from tests.lab.images import APP_IMAGE
from tests.support.deployment import Deployment

READY_AT_ONCE = "mkdir /tmp/www; echo ok >/tmp/www/healthz; exec httpd -f -p 9002 -h /tmp/www"


class Empty(Deployment):
    """The component's containers in its order and with its probes; each is done, or healthy, as soon as it runs."""

    @property
    @override
    def objects(self) -> list[dict[str, Any]]:
        (stateful_set,) = [made for made in super().objects if made["kind"] == "StatefulSet"]
        template = stateful_set["spec"]["template"]
        first = [empty(container) for container in template["spec"]["initContainers"]]
        template["spec"] = {**self.arguments["pod_spec"], "initContainers": first}
        return [stateful_set]


def empty(container: dict[str, Any]) -> dict[str, Any]:
    """A container that starts as another does, and does nothing."""
    does = READY_AT_ONCE if "startupProbe" in container else "exec sleep 1d" if "restartPolicy" in container else "true"
    kept = {key: value for key, value in container.items() if key in ("name", "restartPolicy", "startupProbe")}
    return {**kept, "image": APP_IMAGE, "command": ["sh", "-c", does]}
