"""Says of each ValidatingAdmissionPolicy which generation of it was looked at.

Follows pkg/controller/validatingadmissionpolicystatus/controller.go. Left out: checking the types of its expressions, so there are never
warnings.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController

__all__ = ["ValidatingAdmissionPolicyStatusController"]


class ValidatingAdmissionPolicyStatusController(BaseController):
    """Writes status.observedGeneration and status.typeChecking."""

    resource = "validatingadmissionpolicies"
    controller_name = component = "validatingadmissionpolicy-status-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.policies = self.informer("validatingadmissionpolicies")
        self.policies.on_change(self.enqueue_object)

    def reconcile(self, key: str) -> None:
        policy = self.policies.get(key)
        if policy is None:
            return
        generation = policy["metadata"].get("generation", 0)
        if (policy.get("status") or {}).get("observedGeneration") == generation:
            return
        status = {**(policy.get("status") or {}), "observedGeneration": generation, "typeChecking": {}}
        self.client.update_status("validatingadmissionpolicies", {**policy, "status": status})
        self.tell(f"The policy {key} has been looked at as it is now.")
