"""What a StatefulSet does to its pods and their claims, with the events that tell of it.

Follows pkg/controller/statefulset/stateful_pod_control.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object, Objects, controller_ref, deleting
from clusterlab.controllers.statefulset_pods import (
    claims_of,
    created,
    end_ordinal,
    identity_matches,
    ordinal,
    start_ordinal,
    storage_matches,
    with_identity,
    with_storage,
)
from clusterlab.machinery import errors
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.controllers.statefulset import StatefulSetController

__all__ = ["PodControl"]

SET, POD = ("apps/v1", "StatefulSet"), ("v1", "Pod")


def _refers(ref: Object, obj: Object, kind: tuple[str, str]) -> bool:
    return (ref["apiVersion"], ref["kind"], ref["name"]) == (*kind, obj["metadata"]["name"])


def _refs(claim: Object) -> Objects:
    return claim["metadata"].get("ownerReferences") or []


def _uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


class PodControl:
    """Writes the pods and claims of one StatefulSet."""

    def __init__(self, by: StatefulSetController, owner: Object) -> None:
        self.by, self.owner = by, owner
        self.name = owner["metadata"]["name"]
        self.namespace = owner["metadata"]["namespace"]
        policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
        self.delete_with_set = policy.get("whenDeleted") == "Delete"
        self.delete_when_scaled = policy.get("whenScaled") == "Delete"
        #: Claims just made, which the cache does not know yet.
        self.fresh: dict[str, Object] = {}

    # Pods.

    def create(self, pod: Object) -> Object:
        """Creates a pod, its claims first."""
        try:
            self.create_missing_claims(pod, retention=False)
            made = self.by.client.create("pods", pod)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                self._record("create", pod, error)
            raise
        self.match_retention(made)
        self._record("create", made)
        self.by.tell(f"The StatefulSet {self.name} creates {made['metadata']['name']}: the pods before it are well.")
        return made

    def delete(self, pod: Object) -> None:
        """Deletes a pod."""
        try:
            self.by.client.delete("pods", self.namespace, pod["metadata"]["name"])
        except StatusError as error:
            if error.reason != "NotFound":
                self._record("delete", pod, error)
                raise
        self._record("delete", pod)
        self.by.tell(f"The StatefulSet {self.name} deletes {pod['metadata']['name']}.")

    def update(self, pod: Object) -> None:
        """Puts a pod's identity, storage and claims right."""
        fixed = pod
        if not identity_matches(self.owner, pod):
            fixed = with_identity(self.owner, fixed)
        if not storage_matches(self.owner, pod):
            fixed = with_storage(self.owner, fixed)
            self.create_missing_claims(fixed, retention=False)
        changed = self.match_retention(pod)
        if fixed is pod and not changed:
            return
        try:
            if fixed is not pod:
                self.by.client.update("pods", fixed)
        except StatusError as error:
            self._record("update", pod, error)
            raise
        self._record("update", pod)

    def _record(self, verb: str, pod: Object, error: StatusError | None = None) -> None:
        what = f"{verb.title()} Pod {pod['metadata']['name']} in StatefulSet {self.name}"
        if error is None:
            self.by.record(self.owner, "Normal", f"Successful{verb.title()}", f"{what} successful")
        else:
            self.by.record(self.owner, "Warning", f"Failed{verb.title()}", f"{what} failed error: {error.message}")

    # Claims.

    def _claim(self, claim: Object) -> Object | None:
        name = claim["metadata"]["name"]
        return self.by.claims.get(f"{self.namespace}/{name}") or self.fresh.get(name)

    def create_missing_claims(self, pod: Object, retention: bool = True) -> None:
        """Creates the claims that a pod lacks."""
        refused: StatusError | None = None
        pod_name = pod["metadata"]["name"]
        for claim in claims_of(self.owner, pod).values():
            name, known = claim["metadata"]["name"], self._claim(claim)
            if known is not None:
                if deleting(known):
                    refused = errors.internal_error(f"pvc {name} is being deleted")
                continue
            try:
                self.fresh[name] = self.by.client.create("persistentvolumeclaims", claim)
            except StatusError as error:
                if error.reason == "AlreadyExists":
                    continue
                refused = error
                message = f"Create Claim {name} for Pod {pod_name} in StatefulSet {self.name} failed error: {error.message}"
                self.by.record(self.owner, "Warning", "FailedCreate", message)
                continue
            message = f"Create Claim {name} Pod {pod_name} in StatefulSet {self.name} success"
            self.by.record(self.owner, "Normal", "SuccessfulCreate", message)
        if refused is not None:
            raise refused
        if retention:
            self.match_retention(pod)

    def claim_is_stale(self, pod: Object) -> bool:
        """Whether a claim still waits to be deleted with the last pod of this name."""
        if not self.delete_when_scaled:
            return False
        for claim in claims_of(self.owner, pod).values():
            known = self._claim(claim)
            if known is not None and any(_refers(ref, pod, POD) and ref["uid"] != _uid(pod) for ref in _refs(known)):
                return True
        return False

    def match_retention(self, pod: Object) -> bool:
        """Sets the owners of a pod's claims as the retention policy asks; whether any was changed."""
        if not created(pod):
            return False
        changed = False
        for claim in claims_of(self.owner, pod).values():
            known = self._claim(claim)
            if known is None:
                continue
            if self._foreign_controller(known, pod):
                message = (
                    f"PersistentVolumeClaim {known['metadata']['name']} has a conflicting OwnerReference that acts as a manging "
                    "controller, the retention policy is ignored for this claim"
                )
                self.by.record(self.owner, "Warning", "ConflictingController", message)
            wanted = self._wanted_refs(known, pod)
            if wanted is not None:
                meta = {**known["metadata"], "ownerReferences": wanted}
                if not wanted:
                    del meta["ownerReferences"]
                self.by.client.update("persistentvolumeclaims", {**known, "metadata": meta})
                changed = True
        return changed

    def _foreign_controller(self, claim: Object, pod: Object) -> bool:
        if not self.delete_with_set and not self.delete_when_scaled:
            return False
        for ref in _refs(claim):
            for obj, kind in ((self.owner, SET), (pod, POD)):
                if _refers(ref, obj, kind):
                    if ref["uid"] != _uid(obj):
                        return True
                    break
            else:
                if ref.get("controller"):
                    return True
        return False

    def _wanted_refs(self, claim: Object, pod: Object) -> Objects | None:
        """The owner references that a claim should have; None when it has them."""
        refs = _refs(claim)
        for obj, kind in ((self.owner, SET), (pod, POD)):
            if any(_refers(ref, obj, kind) and ref["uid"] != _uid(obj) for ref in refs):
                return None  # left from an earlier set or pod: the garbage collector's to deal with
        others = [ref for ref in refs if not _refers(ref, self.owner, SET) and not _refers(ref, pod, POD)]
        wanted = list(others)
        if not self._foreign_controller(claim, pod):
            gone = not start_ordinal(self.owner) <= ordinal(pod) <= end_ordinal(self.owner)
            if self.delete_when_scaled and gone:
                wanted.append(controller_ref(pod, *POD))
            elif self.delete_with_set:
                wanted.append(controller_ref(self.owner, *SET))
        same = {(ref["uid"], ref.get("controller")) for ref in refs} == {(ref["uid"], ref.get("controller")) for ref in wanted}
        return None if same else wanted
