"""A lasting tailnet identity for each replica of a Kubernetes StatefulSet, as a Pulumi component."""

from .args import TailscaleSidecarStatefulSetArgs
from .auth import AuthKey, OAuthClient, WorkloadIdentity
from .component import TailscaleSidecarStatefulSet
from .device import Device
from .device_cleanup import DeviceCleanup
from .dns import ClusterDns, InPodSplitDns, SplitDns
from .networking import KernelNetworking, UserspaceNetworking
from .split_dns_route import SplitDnsRoute
from .state import EmptyDirState, PersistentVolumeState, SecretState

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
