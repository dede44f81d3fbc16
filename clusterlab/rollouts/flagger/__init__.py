"""Progressive delivery by the conventions of Flagger: Canary, MetricTemplate and AlertProvider of flagger.app/v1beta1.

A process of its own that acts through the lab's API. It takes over Deployments, routes by HTTPRoutes (provider gatewayapi:v1) or by
Services alone (provider kubernetes), and measures with the lab's Prometheus. docs/releases.md tells what is left out.
"""

from clusterlab.rollouts.flagger.process import flagger

__all__ = ["flagger"]
