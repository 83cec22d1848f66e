"""What says how replicas are: metrics of the sidecar's own."""

from .monitoring import Monitoring as Monitoring
