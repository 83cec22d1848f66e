"""A one-node Kubernetes cluster and a tailnet on one Linux machine, without internet."""

from .lab import Lab
from .shell import LabError

__all__ = ["Lab", "LabError"]
