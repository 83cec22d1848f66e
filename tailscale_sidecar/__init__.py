"""A lasting tailnet identity for each replica of a Kubernetes StatefulSet, as a Pulumi component."""

from .choices.auth import AuthKey, OAuthClient, WorkloadIdentity
from .choices.dns import ClusterDns, InPodSplitDns, SplitDns
from .choices.networking import KernelNetworking, UserspaceNetworking
from .choices.state import EmptyDirState, PersistentVolumeState, SecretState
from .component.args import TailscaleSidecarStatefulSetArgs
from .component.component import TailscaleSidecarStatefulSet
from .devices.cleanup import DeviceCleanup
from .devices.device import Device
from .split_dns_route import SplitDnsRoute

__all__ = [
    "AuthKey",
    "ClusterDns",
    "Device",
    "DeviceCleanup",
    "EmptyDirState",
    "InPodSplitDns",
    "KernelNetworking",
    "OAuthClient",
    "PersistentVolumeState",
    "SecretState",
    "SplitDns",
    "SplitDnsRoute",
    "TailscaleSidecarStatefulSet",
    "TailscaleSidecarStatefulSetArgs",
    "UserspaceNetworking",
    "WorkloadIdentity",
]
