"""A node reboots while the app's containers are created and none has started yet: before Kubernetes 1.37 they do not wait then.

The kubelet takes them for some that ran before, and starts them beside the sidecar (kubernetes/kubernetes#137710).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.lab import Lab
from tests.lab.settings import RUN
from tests.lab.tailnet_client import Tailnet
from tests.support.deployment import Deployment, Workspace
from tests.support.look_ups import CLUSTER_NAME, failed, look_ups, resolver_containers
from tests.support.outages import control_plane_away
from tests.support.releases import KUBELET_WAITS_AFTER_A_REBOOT

RUNTIME = """\
#!/bin/sh
all="$*"
bundle=${{all##*--bundle }}
case " $all " in
    *" create "*) grep -q {word} "${{bundle%% *}}/config.json" && touch {hangs} && exec sleep infinity ;;
esac
exec {runc} "$@"
"""


@pytest.mark.matrix
def test_the_apps_first_look_ups_hold_when_the_node_reboots_before_any_of_its_containers_has_started(
    workspace: Workspace, lab: Lab, tailnet: Tailnet
) -> None:
    first, *others = resolver_containers(CLUSTER_NAME)
    spec = {"containers": [first, *others], "terminationGracePeriodSeconds": 5}
    with creation_hangs(lab, first["command"][0]) as hangs:
        app = workspace.deploy(wait=False, pod_spec=spec)
        app.wait_for("the app's first container to be created", hangs, 90)
    uid, device = app.uid(), app.device()
    with control_plane_away(lab, tailnet):
        lab.reboot_node()
        before = probe_failures(app)
        app.wait_for("the sidecar to be off the tailnet", lambda: probe_failures(app) > before + 2, 90)
        assert bool(look_ups(app)) == (not KUBELET_WAITS_AFTER_A_REBOOT)
    app.await_ready()
    assert failed(look_ups(app)) == []
    assert (app.uid(), app.device().id) == (uid, device.id)


@contextmanager
def creation_hangs(lab: Lab, word: str) -> Iterator[Callable[[], bool]]:
    """No container with a word in its configuration gets beyond its creation; yields whether one has come so far."""
    link, hangs = lab.bin / "runc", RUN / "hangs"
    runc = link.resolve()
    link.unlink()
    link.write_text(RUNTIME.format(word=word, hangs=hangs, runc=runc), encoding="utf-8")
    link.chmod(0o755)
    try:
        yield hangs.exists
    finally:
        link.unlink()
        link.symlink_to(runc)
        hangs.unlink(missing_ok=True)


def probe_failures(app: Deployment) -> int:
    """How often the kubelet has found the sidecar not to be on the tailnet."""
    events = app.workspace.find_all("Event")
    return sum(event.get("count", 1) for event in events if "Startup probe failed" in event["message"])
