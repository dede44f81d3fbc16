"""Certificate signing requests of kubelets are approved by themselves, and old requests are deleted.

Follows pkg/controller/certificates/{approver/sarapprove,cleaner/cleaner}.go. A request is deleted when its time is up; upstream looks
once an hour.
"""

from __future__ import annotations

import base64
import binascii

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.certificates import KUBELET_CLIENT, problem
from clusterlab.controllers.objects import Object, created_ms, unix_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.pki import PkiError, common_name, parse_request

__all__ = ["CSRApprovingController", "CSRCleanerController"]

_HOUR_MS = 3_600_000
_APPROVED = "Auto approving {}kubelet client certificate after SubjectAccessReview."


def _conditions(request: Object) -> list[Object]:
    return (request.get("status") or {}).get("conditions") or []


class CSRApprovingController(BaseController):
    """Approves client certificates of kubelets for those who may ask for them."""

    resource = "certificatesigningrequests"
    controller_name = component = "certificatesigningrequest-approving-controller"
    backoff_ms = (200, 1_000_000)

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.requests = self.informer("certificatesigningrequests")
        self.requests.on_change(self.enqueue_object)

    def reconcile(self, key: str) -> None:
        request = self.requests.get(key)
        if request is None or request["spec"].get("signerName") != KUBELET_CLIENT:
            return
        if (request.get("status") or {}).get("certificate") or any(one["type"] in ("Approved", "Denied") for one in _conditions(request)):
            return
        spec = request["spec"]
        try:
            asked = parse_request(base64.b64decode(spec.get("request") or ""))
        except (PkiError, binascii.Error):
            return
        if problem(asked, spec.get("usages") or [], KUBELET_CLIENT):
            return
        own = [("selfnodeclient", "self ")] if spec.get("username") == common_name(asked) else []
        for subresource, which in (*own, ("nodeclient", "")):
            if self._may(spec, subresource):
                condition = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": _APPROVED.format(which)}
                status = {**(request.get("status") or {}), "conditions": [*_conditions(request), condition]}
                self.client.update("certificatesigningrequests", {**request, "status": status}, "approval")
                self.tell(f"{spec.get('username')} may ask for the client certificate of a kubelet, so {key} is approved.")
                return

    def _may(self, spec: Object, subresource: str) -> bool:
        attributes = {
            "group": "certificates.k8s.io", "resource": "certificatesigningrequests", "verb": "create", "subresource": subresource,
            "version": "*",
        }
        asked = {
            "user": spec.get("username", ""), "uid": spec.get("uid", ""), "groups": spec.get("groups") or [],
            "extra": spec.get("extra") or {}, "resourceAttributes": attributes,
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": asked}
        return bool(self.client.create("subjectaccessreviews", review)["status"].get("allowed"))


class CSRCleanerController(BaseController):
    """Deletes requests an hour after they were answered, and after a day without an answer."""

    resource = "certificatesigningrequests"
    controller_name = component = "certificatesigningrequest-cleaner-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.requests = self.informer("certificatesigningrequests")
        self.requests.on_change(self.enqueue_object)

    def _ends_ms(self, request: Object) -> int:
        """When a request may go, in the cluster's time."""
        conditions = _conditions(request)
        issued = bool((request.get("status") or {}).get("certificate"))
        if not conditions:
            return created_ms(request) + 24 * _HOUR_MS
        ends = []
        for condition in conditions:
            hours = 1 if condition["type"] in ("Denied", "Failed") or issued else 24
            ends.append(int(unix_ms(condition["lastUpdateTime"])) + hours * _HOUR_MS)
        return min(ends)

    def reconcile(self, key: str) -> None:
        request = self.requests.get(key)
        if request is None:
            return
        left_ms = self._ends_ms(request) - self.now_ms
        if left_ms >= 0:
            self.queue.add_after(key, left_ms + 1, idle=True)
            return
        try:
            self.client.delete("certificatesigningrequests", "", key, uid=request["metadata"]["uid"])
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        self.tell(f"The request {key} is old, so it is deleted.")
