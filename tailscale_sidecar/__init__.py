"""A lasting tailnet identity for each replica of a Kubernetes StatefulSet, as a Pulumi component."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .choices.auth import AuthKey, OAuthClient, WorkloadIdentity
    from .choices.dns import ClusterDns, InPodSplitDns, SplitDns
    from .choices.egress import EgressPolicy
    from .choices.monitoring import Monitoring
    from .choices.networking import KernelNetworking, UserspaceNetworking
    from .choices.state import EmptyDirState, PersistentVolumeState, SecretState
    from .component.component import TailscaleSidecarStatefulSet
    from .component.sidecar import TailscaleSidecar
    from .component.sidecar_injection import TailscaleSidecarInjection, TailscaleSidecarInjectionArgs
    from .component.split_dns_route import SplitDnsRoute
    from .component.stateful_set_args import TailscaleSidecarStatefulSetArgs
    from .component.workload_args import TailscaleSidecarArgs
    from .devices.cleanup import DeviceCleanup
    from .devices.device import Device

__all__ = [
    "AuthKey",
    "ClusterDns",
    "Device",
    "DeviceCleanup",
    "EgressPolicy",
    "EmptyDirState",
    "InPodSplitDns",
    "KernelNetworking",
    "Monitoring",
    "OAuthClient",
    "PersistentVolumeState",
    "SecretState",
    "SplitDns",
    "SplitDnsRoute",
    "TailscaleSidecar",
    "TailscaleSidecarArgs",
    "TailscaleSidecarInjection",
    "TailscaleSidecarInjectionArgs",
    "TailscaleSidecarStatefulSet",
    "TailscaleSidecarStatefulSetArgs",
    "UserspaceNetworking",
    "WorkloadIdentity",
]

_HOMES = {
    ".choices.auth": ("AuthKey", "OAuthClient", "WorkloadIdentity"),
    ".choices.dns": ("ClusterDns", "InPodSplitDns", "SplitDns"),
    ".choices.egress": ("EgressPolicy",),
    ".choices.monitoring": ("Monitoring",),
    ".choices.networking": ("KernelNetworking", "UserspaceNetworking"),
    ".choices.state": ("EmptyDirState", "PersistentVolumeState", "SecretState"),
    ".component.component": ("TailscaleSidecarStatefulSet",),
    ".component.sidecar": ("TailscaleSidecar",),
    ".component.sidecar_injection": ("TailscaleSidecarInjection", "TailscaleSidecarInjectionArgs"),
    ".component.stateful_set_args": ("TailscaleSidecarStatefulSetArgs",),
    ".component.workload_args": ("TailscaleSidecarArgs",),
    ".devices.cleanup": ("DeviceCleanup",),
    ".devices.device": ("Device",),
    ".component.split_dns_route": ("SplitDnsRoute",),
}
"""Where each public name is. It is imported when it is first asked for: the commands that need no Pulumi, which takes
longer to load than they take to run, do not load it."""

if not TYPE_CHECKING:  # a type checker would take every name for one that is there

    def __getattr__(name: str) -> Any:
        for module, names in _HOMES.items():
            if name in names:
                globals()[name] = getattr(import_module(module, __name__), name)
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
