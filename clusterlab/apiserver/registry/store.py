"""The store of one resource: where its objects are and how its kind differs from the others.

Follows staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go (the fields of Store) and the strategies in
pkg/registry/*/*/strategy.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.machinery import fields

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.apiserver.storage import Bucket, Write
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]

__all__ = ["Hooks", "Store"]

_CREATE_ON_UPDATE = frozenset((
    "runtimeclasses", "rolebindings", "clusterrolebindings", "roles", "clusterroles", "leases", "leasecandidates", "limitranges",
    "events", "services", "endpoints", "events.events.k8s.io",
))
_VERSION_REQUIRED = frozenset((
    "runtimeclasses", "poddisruptionbudgets", "csidrivers", "csistoragecapacities", "volumeattachments", "csinodes", "leases",
    "leasecandidates", "validatingadmissionpolicies", "mutatingadmissionpolicies", "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations", "mutatingadmissionpolicybindings", "validatingadmissionpolicybindings",
    "customresourcedefinitions",
))
_RETURNS_DELETED = frozenset((
    "csidrivers", "storageclasses", "volumeattachments", "csinodes", "volumeattributesclasses", "resourcequotas",
    "persistentvolumes", "serviceaccounts", "persistentvolumeclaims", "namespaces", "pods", "services", "podtemplates",
))
_ORPHANING = frozenset(("jobs", "replicationcontrollers"))


class Hooks:
    """What a kind does differently. The default does nothing."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def claimed(self, obj: Object) -> Object:
        """What a writer is taken to have said with an object: what conversions add counts, for managedFields."""
        return obj

    def begin_create(self, call: Call, obj: Object) -> Object:
        """The object is complete but not yet validated: allocate what it needs (addresses, ports)."""
        return obj

    def begin_update(self, call: Call, new: Object, old: Object) -> Object:
        """The same for an update."""
        return new

    def abort(self, call: Call) -> None:
        """The write came to nothing: give back what `begin_create` or `begin_update` took."""

    def after_write(self, call: Call, write: Write) -> None:
        """The object was written, or deleted."""

    def grace_period(self, call: Call, obj: Object, requested: int | None) -> int | None:
        """How long a graceful deletion takes, in seconds; None where the kind has none."""
        return None

    def keep_deleting(self, old: Object) -> bool:
        """Whether something else than metadata.finalizers holds up the end of a deletion."""
        return False

    def ending(self, obj: Object) -> tuple[str, ...]:
        """Finalizers that an object gets when its deletion begins."""
        return ()

    def before_delete(self, call: Call, obj: Object) -> Object:
        """Changes an object that stays for a while because it has to be finalized."""
        return obj

    def lease_s(self, obj: Object) -> int:
        """After how many seconds the object expires; 0: never."""
        return 0


class Store:
    """One resource (in all its versions)."""

    __slots__ = (
        "bucket", "create_on_update", "garbage_collected", "hooks", "kind", "label", "namespaced", "orphan_by_default", "resource",
        "returns_deleted", "selectable", "storage", "unconditional_update",
    )

    def __init__(self, resource: Resource, bucket: Bucket, hooks: Hooks) -> None:
        self.resource = resource
        self.storage = resource  # the version (and group) in which objects are stored
        self.bucket = bucket
        self.hooks = hooks
        self.label = resource.string
        self.kind = resource.kind
        self.namespaced = resource.namespaced
        self.create_on_update = self.label in _CREATE_ON_UPDATE
        self.unconditional_update = not resource.custom and self.label not in _VERSION_REQUIRED
        self.returns_deleted = self.label in _RETURNS_DELETED
        self.orphan_by_default = self.label in _ORPHANING
        self.garbage_collected = resource.plural != "events" or bool(resource.custom)
        self.selectable: tuple[str, ...] = ()  # selectableFields of a custom resource

    def key(self, namespace: str, name: str) -> str:
        return f"{namespace}/{name}" if self.namespaced else name

    def field_selector(self, text: str) -> fields.Selector:
        """The compiled field selector; raises FieldSelectorError."""
        resource = self.resource
        return fields.parse(text, resource.gvk, self.selectable, resource.custom)
