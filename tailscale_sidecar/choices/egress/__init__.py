"""Where the pods may go: a NetworkPolicy for what the sidecar needs."""

from .egress_policy import EgressPolicy as EgressPolicy
