"""ControllerRevisions: the history of pod templates that DaemonSets and StatefulSets keep.

Follows pkg/controller/history/controller_history.go and the history part of pkg/controller/daemon/update.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object, Objects, by_controller, controller_ref
from clusterlab.controllers.refmanager import Claims
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.go_dump import pod_template_hash
from clusterlab.machinery.labels import from_object as selector_of
from clusterlab.machinery.meta import deep_equal

if TYPE_CHECKING:
    from clusterlab.controllers.base import BaseController

__all__ = ["HASH", "Collision", "History", "template_patch"]

HASH = "controller-revision-hash"


class Collision(Exception):
    """Another revision has the name that this template's hash gives."""


def template_patch(owner: Object) -> Object:
    """What a revision remembers: a patch that sets the owner's pod template."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def template_digest(owner: Object) -> str:
    """The hash that names a DaemonSet's revision: that of its pod template."""
    return pod_template_hash(owner["spec"]["template"], (owner.get("status") or {}).get("collisionCount"))


class History:
    """The revisions of one owner. `digest` names a new one, and is its label `label`."""

    def __init__(
        self, by: BaseController, owner: Object, resource: str, kind: str,
        label: str = HASH, digest: Callable[[Object], str] = template_digest,
    ) -> None:
        self.by, self.owner, self.resource, self.kind, self.label, self.digest = by, owner, resource, kind, label, digest

    def revisions(self) -> Objects:
        """The owner's revisions, oldest first, after adoption and release."""
        informer = self.by.informer("controllerrevisions")
        informer.add_index("controller", by_controller)
        meta = self.owner["metadata"]
        known = informer.indexed("controller", meta["uid"]) + informer.indexed("controller", "orphan/" + meta["namespace"])
        selector = selector_of(self.owner["spec"].get("selector"))
        claims = Claims(self.by, self.owner, self.resource, "apps/v1", self.kind, selector, "controllerrevisions")
        return sorted(claims.claim(known), key=lambda each: (each["revision"], each["metadata"]["name"]))

    def matches(self, revision: Object) -> bool:
        """Whether a revision remembers the owner's present template."""
        return deep_equal(revision.get("data"), template_patch(self.owner))

    def create(self, number: int) -> Object:
        """Remembers the present template under a number; raises Collision if another template took its name."""
        meta, template = self.owner["metadata"], self.owner["spec"]["template"]
        digest = self.digest(self.owner)
        labels = {**((template.get("metadata") or {}).get("labels") or {}), self.label: digest}
        name = f"{meta['name']}-{digest}"
        body: Object = {
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {
                "name": name, "namespace": meta["namespace"], "labels": labels,
                "ownerReferences": [controller_ref(self.owner, "apps/v1", self.kind)],
            },
            "data": template_patch(self.owner), "revision": number,
        }
        if meta.get("annotations"):
            body["metadata"]["annotations"] = meta["annotations"]
        try:
            return self.by.client.create("controllerrevisions", body)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
        existing = self.by.client.get("controllerrevisions", meta["namespace"], name)
        if self.matches(existing):
            return existing
        raise Collision(name)

    def renumber(self, revision: Object, number: int) -> Object:
        """Gives a revision that is current again the highest number."""
        return self.by.client.update("controllerrevisions", {**revision, "revision": number})

    def delete(self, revision: Object) -> None:
        """Forgets a revision."""
        meta = revision["metadata"]
        try:
            self.by.client.delete("controllerrevisions", meta["namespace"], meta["name"])
        except StatusError as error:
            if error.reason != "NotFound":
                raise
