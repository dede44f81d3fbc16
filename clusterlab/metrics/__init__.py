"""Resource usage of containers and nodes, as the Metrics API shows it."""

from clusterlab.metrics.source import MetricsSource
from clusterlab.metrics.usage import Usage, container_usage, node_usage

__all__ = ["MetricsSource", "Usage", "container_usage", "node_usage"]
