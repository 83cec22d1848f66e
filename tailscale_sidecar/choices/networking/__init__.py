"""How the pod's packets reach the tailnet."""

from ._networking import Networking
from .kernel_networking import KernelNetworking
from .userspace_networking import UserspaceNetworking

__all__ = ["KernelNetworking", "Networking", "UserspaceNetworking"]
