"""Cluster role aggregation: roles that are the sum of others, as admin, edit and view are.

Follows pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, Objects
from clusterlab.machinery.labels import from_object as selector_of
from clusterlab.sim.words import counted

__all__ = ["ClusterRoleAggregationController"]


class ClusterRoleAggregationController(BaseController):
    """Reconciles ClusterRoles with an aggregation rule."""

    resource = "clusterroles"
    controller_name = component = "clusterrole-aggregation-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.roles = self.informer("clusterroles")
        self.roles.on_change(self.role_changed)

    def role_changed(self, old: Object | None, new: Object | None) -> None:
        """Any role may be part of any sum."""
        if not self.process.synced:
            return
        for name, role in self.roles.store.items():
            if role.get("aggregationRule"):
                self.enqueue(name)

    def started(self) -> None:
        self.role_changed(None, None)

    def reconcile(self, key: str) -> None:
        role = self.roles.get(key)
        if role is None or not role.get("aggregationRule"):
            return
        rules: Objects = []
        for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
            compiled = selector_of(selector)
            for name in sorted(self.roles.store):
                other = self.roles.store[name]
                if name != key and compiled.matches(other["metadata"].get("labels")):
                    rules += [rule for rule in other.get("rules") or () if rule not in rules]
        if rules == (role.get("rules") or []):
            return
        body: Object = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": key}}
        if rules:  # As Kubernetes' apply configuration, which leaves out an empty list.
            body["rules"] = rules
        self.client.patch("clusterroles", "", key, body, "apply", fieldManager=self.component, force=True)
        self.tell(f"ClusterRole {key} gets {counted(len(rules), 'rule')} of the roles that it adds up.")
