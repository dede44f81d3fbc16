"""Adoption and release: which objects a controller's owner manages.

Follows pkg/controller/controller_ref_manager.go: an orphan that the selector matches is adopted, an owned object that it no longer
matches is released, and an owner that is being deleted does neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object, Objects, controller_of, controller_ref, deleting
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import Selector

if TYPE_CHECKING:
    from clusterlab.controllers.base import BaseController

__all__ = ["Claims"]


class Claims:
    """Claims objects of one resource for one owner."""

    def __init__(
        self, by: BaseController, owner: Object, owner_resource: str, api_version: str, kind: str, selector: Selector, resource: str,
        finalizers: tuple[str, ...] = (),
    ) -> None:
        self.by, self.owner, self.owner_resource = by, owner, owner_resource
        self.api_version, self.kind = api_version, kind
        self.selector, self.resource, self.finalizers = selector, resource, finalizers
        self._may_adopt: bool | None = None

    def claim(self, objects: Objects) -> Objects:
        """Those of the owner's objects and orphans that it manages, after adoption and release."""
        uid = self.owner["metadata"]["uid"]
        selector, claimed = self.selector, []
        ours: dict[int, bool] = {}  # objects of one template share labels and references, so few are looked at twice
        matching: dict[int, bool] = {}
        for obj in objects:
            meta = obj["metadata"]
            refs, labels = meta.get("ownerReferences"), meta.get("labels")
            if ours.get(id(refs)) and matching.get(id(labels)):
                claimed.append(obj)
                continue
            ref = controller_of(obj)
            if ref is None:
                if not meta.get("deletionTimestamp") and selector.matches(labels) and self._adopt(obj):
                    claimed.append(obj)
            elif ref["uid"] == uid:
                ours[id(refs)], matching[id(labels)] = True, selector.matches(labels)
                if matching[id(labels)]:
                    claimed.append(obj)
                elif not deleting(self.owner):
                    self._release(obj)
        return claimed

    def _adopt(self, obj: Object) -> bool:
        if deleting(self.owner) or not self._owner_is_alive():
            return False
        meta = obj["metadata"]
        ref = controller_ref(self.owner, self.api_version, self.kind)
        fields: Object = {"ownerReferences": [ref], "uid": meta["uid"]}
        if self.finalizers:
            fields["finalizers"] = list(self.finalizers)
        try:
            self._patch(obj, fields)
        except StatusError as error:
            if error.reason == "NotFound":
                return False
            raise
        self.by.tell(f"{self.kind} {self.owner['metadata']['name']} adopted {meta['name']}, which its selector matches.")
        return True

    def _owner_is_alive(self) -> bool:
        """Asks the API server, not the cache, once for all adoptions of a reconcile."""
        if self._may_adopt is None:
            meta = self.owner["metadata"]
            fresh = self.by.client.get(self.owner_resource, meta.get("namespace", ""), meta["name"])
            self._may_adopt = fresh["metadata"]["uid"] == meta["uid"] and not deleting(fresh)
        return self._may_adopt

    def _release(self, obj: Object) -> None:
        meta, uid = obj["metadata"], self.owner["metadata"]["uid"]
        fields: Object = {"ownerReferences": [{"$patch": "delete", "uid": uid}], "uid": meta["uid"]}
        if self.finalizers:
            fields["$deleteFromPrimitiveList/finalizers"] = list(self.finalizers)
        try:
            self._patch(obj, fields)
        except StatusError as error:
            if error.reason not in ("NotFound", "Invalid"):
                raise
            return
        self.by.tell(f"{self.kind} {self.owner['metadata']['name']} released {meta['name']}: its labels no longer match.")

    def _patch(self, obj: Object, fields: Object) -> None:
        meta = obj["metadata"]
        self.by.client.patch(self.resource, meta.get("namespace", ""), meta["name"], {"metadata": fields}, "strategic")
