"""Progressive delivery: an operator in the manner of Argo Rollouts, for the kinds of argoproj.io/v1alpha1.

It acts through the lab's API alone, as any controller does. Left out: traffic routers other than the Gateway API's, ping-pong services,
step plugins, anti-affinity, notifications; a manifest that asks for one of them is told so in its status.
"""

from clusterlab.rollouts.process import rollouts

__all__ = ["rollouts"]
