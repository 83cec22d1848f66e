"""What Pulumi has to be told before its first `up` of a program whose objects are there already."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import partial

from ..pod.objects import Json
from ..render.render import Registered, plain, registered
from .found import Found

PROGRAM = "__main__.py"
"""The file that the program's text is for."""
COMPONENT = "tailscale-sidecar:index:TailscaleSidecarStatefulSet"


def run(text: str, namespace: str, secrets: Iterable[str]) -> list[Registered]:
    """What a program's text registers. Its configuration is filled in.

    Raises:
        Exception: The component refuses the arguments, or whatever else is wrong with it.
    """
    # A client secret is checked for how it starts and, for another control plane, for where its API is.
    client_secret = "tskey-client-later?baseURL=later"
    config = {f"adopt:{key}": client_secret if key == "clientSecret" else "later" for key in secrets}
    source = compile(text, PROGRAM, "exec")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they are about, the first `up` of the program says itself
        found = registered(partial(exec, source, {}), namespace=namespace, project="adopt", config=config)
    return [Registered(one.type, one.name, plain(one.object, show_secrets=False)) for one in found]


def import_file(found: Found, planned: Iterable[Registered], makes: Iterable[str]) -> Json:
    """What `pulumi import --file` reads: the component, and those of its objects that are there.

    `makes` are Secrets that will be there by then.
    """
    resources: list[Json] = [{"type": COMPONENT, "name": found.name, "component": True}]
    for one in planned:
        kind, name = one.object["kind"], one.object["metadata"]["name"]
        if (kind == "Secret" and name in makes) or found.find(kind, name) is not None:
            own = {"type": one.type, "name": one.name, "id": f"{found.workload.namespace}/{name}"}
            resources.append({**own, "parent": found.name})
    return {"resources": resources}
