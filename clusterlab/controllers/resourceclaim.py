"""Resource claims: those that pods' templates ask for are made, and those of pods that are gone are freed or deleted.

Follows pkg/controller/resourceclaim/controller.go. Left out: claims for extended resources, and metrics.
"""

from __future__ import annotations

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, controller_of, controller_ref, deleting, finished, key_of
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.meta import without_finalizer

__all__ = ["FINALIZER", "POD_CLAIM", "ResourceClaimController"]

POD_CLAIM = "resource.kubernetes.io/pod-claim-name"
FINALIZER = "resource.kubernetes.io/delete-protection"


class ResourceClaimController(BaseController):
    """Reconciles pods (`pods/NAMESPACE/NAME`) and claims (`claims/NAMESPACE/NAME`)."""

    controller_name = "resourceclaim-controller"
    component = "resource_claim"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.pods = self.informer("pods")
        self.claims = self.informer("resourceclaims")
        self.templates = self.informer("resourceclaimtemplates")
        self.pods.on_change(self.pod_changed)
        self.claims.on_change(self.claim_changed)
        self.templates.on_change(self.template_changed)

    def object_key(self, key: str) -> str:
        kind, _, name = key.partition("/")
        return f"{'pods' if kind == 'pods' else 'resourceclaims'}/{name}"

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        assert pod is not None
        if not pod["spec"].get("resourceClaims"):
            return
        if new is not None and not finished(new):
            self.enqueue("pods/" + key_of(pod))
            return
        for name in self._names(pod).values():
            self.enqueue(f"claims/{pod['metadata']['namespace']}/{name}")

    def claim_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and ((new.get("status") or {}).get("reservedFor") or deleting(new)):
            self.enqueue("claims/" + key_of(new))

    def template_changed(self, old: Object | None, new: Object | None) -> None:
        for key, pod in self.pods.store.items() if new is not None else ():
            if pod["spec"].get("resourceClaims") and not pod["spec"].get("nodeName"):
                self.enqueue("pods/" + key)

    def _names(self, pod: Object) -> dict[str, str]:
        """The claims of a pod by their names in it; those that are not made yet are left out."""
        made = {one["name"]: one.get("resourceClaimName") for one in (pod.get("status") or {}).get("resourceClaimStatuses") or ()}
        found = {}
        for ref in pod["spec"].get("resourceClaims") or ():
            name = ref.get("resourceClaimName") or made.get(ref["name"])
            if name:
                found[ref["name"]] = name
        return found

    def reconcile(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind == "pods":
            pod = self.pods.get(name)
            if pod is not None and not deleting(pod) and not finished(pod):
                self._make_claims(pod)
        else:
            claim = self.claims.get(name)
            if claim is not None:
                self._free(claim)

    # Making claims.

    def _make_claims(self, pod: Object) -> None:
        meta = pod["metadata"]
        known = self._names(pod)
        statuses = list((pod.get("status") or {}).get("resourceClaimStatuses") or ())
        added = []
        for ref in pod["spec"].get("resourceClaims") or ():
            template = ref.get("resourceClaimTemplateName")
            if not template or ref["name"] in known:
                continue
            claim = self._claim_for(pod, ref["name"], template)
            if claim is not None:
                added.append({"name": ref["name"], "resourceClaimName": claim["metadata"]["name"]})
        if added:
            body = {"metadata": {"uid": meta["uid"]}, "status": {"resourceClaimStatuses": [*statuses, *added]}}
            self.client.patch("pods", meta["namespace"], meta["name"], body, "merge", "status")
            self.tell(f"The pod {meta['name']} gets the claims that its templates describe.")

    def _claim_for(self, pod: Object, name: str, template: str) -> Object | None:
        meta = pod["metadata"]
        for claim in self.claims.list(meta["namespace"]):  # made already, but not told yet
            owner = controller_of(claim)
            marks = claim["metadata"].get("annotations") or {}
            if owner is not None and owner["uid"] == meta["uid"] and marks.get(POD_CLAIM) == name and not deleting(claim):
                return claim
        found = self.templates.get(f"{meta['namespace']}/{template}")
        if found is None:
            missing = f'resourceclaimtemplate.resource.k8s.io "{template}" not found'
            message = f'PodResourceClaim {name}: resource claim template "{template}": {missing}'
            self.record(pod, "Warning", "FailedResourceClaimCreation", message)
            return None
        given = found["spec"].get("metadata") or {}
        owner = controller_ref(pod, "v1", "Pod")
        return self.client.create("resourceclaims", {
            "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim",
            "metadata": {
                "namespace": meta["namespace"], "generateName": f"{meta['name']}-{name}-", "ownerReferences": [owner],
                "annotations": {**(given.get("annotations") or {}), POD_CLAIM: name},
                **({"labels": given["labels"]} if given.get("labels") else {}),
            },
            "spec": found["spec"].get("spec") or {},
        })

    # Freeing claims.

    def _free(self, claim: Object) -> None:
        """Drops reservations of pods that are gone, then the allocation."""
        namespace, status = claim["metadata"]["namespace"], claim.get("status") or {}
        kept = []
        for user in status.get("reservedFor") or ():
            pod = self.pods.get(f"{namespace}/{user['name']}")
            if pod is not None and pod["metadata"]["uid"] == user["uid"] and not finished(pod):
                kept.append(user)
        if len(kept) != len(status.get("reservedFor") or ()) or (status.get("allocation") and not kept and deleting(claim)):
            rest = {key: value for key, value in status.items() if key != "reservedFor"}
            if kept:
                rest["reservedFor"] = kept
            else:
                rest.pop("allocation", None)
            claim = self.client.update_status("resourceclaims", {**claim, "status": rest})
            self.tell(f"Nobody who is still there uses the claim {claim['metadata']['name']}, so its devices are free again.")
        if not kept and FINALIZER in (claim["metadata"].get("finalizers") or ()) and not (claim.get("status") or {}).get("allocation"):
            try:
                claim = self.client.update("resourceclaims", without_finalizer(claim, FINALIZER))
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
