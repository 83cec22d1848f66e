from __future__ import annotations

import re
from typing import ClassVar

from pydantic import field_validator
from typing_extensions import override

from ...pod import rules
from ...pod.additions import Additions, Surroundings
from ...pod.contract import STATE_VOLUME
from ...pod.model import Input, when_known
from ...pod.objects import Json
from ._state import WITHOUT_SECRETS, State, state_dir


class PersistentVolumeState(State):
    """State on a volume claim for each replica, where Secrets may not be written. It needs no RBAC at all."""

    outlives_pod: ClassVar[bool] = True
    oldest_release: ClassVar[tuple[int, int]] = WITHOUT_SECRETS

    size: Input[str] = "1Gi"
    """Size of each claim, a Kubernetes quantity. State takes well under 1 MiB; 1Gi is what most clouds give at least."""
    storage_class: Input[str] | None = None
    """Name of the StorageClass; default: the cluster's."""

    @field_validator("size")
    @classmethod
    def _check_size(cls, size: Input[str]) -> Input[str]:
        return when_known(size, _quantity, "size")

    @field_validator("storage_class")
    @classmethod
    def _check_storage_class(cls, name: Input[str] | None) -> Input[str] | None:
        if name is None:
            return None
        return when_known(name, lambda known: rules.object_name(known, "storage_class"), "storage_class")

    @override
    def additions(self, pod: Surroundings) -> Additions:
        del pod
        spec: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": self.size}}}
        if self.storage_class is not None:
            spec["storageClassName"] = self.storage_class
        return state_dir(claims=({"metadata": {"name": STATE_VOLUME}, "spec": spec},))


def _quantity(size: str) -> None:
    if not re.fullmatch(r"(?=.*[1-9])\d+(\.\d+)?([KMGTPE]i|[kMGTPE])?", size):
        raise ValueError(f"{size!r} is not a positive quantity such as '1Gi'")
