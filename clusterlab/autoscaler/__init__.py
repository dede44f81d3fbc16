"""The cluster autoscaler: nodes come when pods find no place, and go when nobody needs them."""

from clusterlab.autoscaler.autoscaler import ClusterAutoscaler
from clusterlab.autoscaler.config import ConfigError, Group, Options, options

__all__ = ["ClusterAutoscaler", "ConfigError", "Group", "Options", "options"]
