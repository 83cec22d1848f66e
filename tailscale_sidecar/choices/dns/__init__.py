"""What the containers of the pod look names up with."""

from ._dns import Dns
from .cluster_dns import ClusterDns
from .in_pod_split_dns import InPodSplitDns
from .split_dns import SplitDns

__all__ = ["ClusterDns", "Dns", "InPodSplitDns", "SplitDns"]
