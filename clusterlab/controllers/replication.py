"""The ReplicationController's controller: the ReplicaSet's, for the older kind.

Follows pkg/controller/replication/replication_controller.go.
"""

from __future__ import annotations

from clusterlab.controllers.objects import Object
from clusterlab.controllers.replicaset import ReplicaSetController
from clusterlab.machinery.labels import Selector, from_set

__all__ = ["ReplicationController"]


class ReplicationController(ReplicaSetController):
    """Reconciles ReplicationControllers."""

    resource = "replicationcontrollers"
    controller_name = "replicationcontroller-controller"
    component = "replication-controller"
    api_version, kind = "v1", "ReplicationController"
    counts_terminating = False

    def selector(self, rs: Object) -> Selector:
        return from_set(rs["spec"].get("selector"))
