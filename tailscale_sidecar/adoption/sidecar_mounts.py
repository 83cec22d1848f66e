"""Which of the sidecar's volume mounts belong to what the component does in its own way, and which are the author's."""

from __future__ import annotations

from collections.abc import Iterable

from ..inspection.workload import Workload, mount_at
from ..pod.contract import RESOLV_CONF, SERVICE_ACCOUNT_DIR
from ..pod.objects import Json

OWN_PATHS = (RESOLV_CONF, SERVICE_ACCOUNT_DIR)
FILES = ("TS_AUTHKEY", "TS_AUTH_KEY", "TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN")
"""Variables that may have `file:` and a path (tailscale.com@v1.102.5 cmd/tailscale/cli/up.go:237)."""


def state_mount(workload: Workload) -> Json | None:
    """The volume mount with tailscaled's files."""
    return mount_at(workload.sidecar, workload.state.file or workload.env.get("TS_STATE_DIR", ""))


def file_named_by(workload: Workload, variable: str) -> tuple[Json, str] | None:
    """The volume, and the path in it, of a file that a variable names."""
    kind, _, path = workload.env.get(variable, "").partition(":")
    mount = mount_at(workload.sidecar, path) if kind == "file" else None
    volumes = {volume["name"]: volume for volume in workload.pod_spec.get("volumes") or ()}
    if mount is None or mount["name"] not in volumes or "subPath" in mount:
        return None
    return volumes[mount["name"]], path.removeprefix(mount["mountPath"]).lstrip("/")


def kept_mounts(workload: Workload) -> list[Json]:
    """The argument `sidecar_volume_mounts`: such as for TS_SERVE_CONFIG."""
    paths = [workload.env.get(variable, "").removeprefix("file:") for variable in FILES]
    replaced = [state_mount(workload), *(mount_at(workload.sidecar, path) for path in paths)]
    mounts: list[Json] = workload.sidecar.get("volumeMounts") or []
    return [mount for mount in mounts if mount not in replaced and mount["mountPath"] not in OWN_PATHS]


def volumes_of(containers: Iterable[Json]) -> set[str]:
    """Names of the volumes that containers use."""
    return {
        used["name"]
        for container in containers
        for field in ("volumeMounts", "volumeDevices")
        for used in container.get(field) or ()
    }
