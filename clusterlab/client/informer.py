"""Informers: a process's local copy of a resource, kept up to date by a watch, with indexes and handlers.

Follows staging/src/k8s.io/client-go/tools/cache (shared_informer.go, thread_safe_store.go). Deliveries are events of the
simulation, so a cache lags behind the API server by the watch latency, as in Kubernetes. There is no periodic resync.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Object = dict[str, Any]
Objects = list[Object]
IndexFunc = Callable[[Object], Iterable[str]]
Handler = Callable[[Object | None, Object | None], None]

__all__ = ["Informer", "by_namespace", "by_owner_uid", "key_of"]


def key_of(obj: Object) -> str:
    """`namespace/name`, or `name` for a cluster-scoped object."""
    meta = obj["metadata"]
    namespace = meta.get("namespace")
    name: str = meta["name"]
    return f"{namespace}/{name}" if namespace else name


def by_namespace(obj: Object) -> Iterable[str]:
    """Index function: the object's namespace."""
    return (obj["metadata"].get("namespace", ""),)


def by_owner_uid(obj: Object) -> Iterable[str]:
    """Index function: the uid of the managing owner ("" for an orphan)."""
    for ref in obj["metadata"].get("ownerReferences") or ():
        if ref.get("controller"):
            return (ref["uid"],)
    return ("",)


class Informer:
    """The copy of one resource. `store` maps key to object and is state; indexes are derived."""

    def __init__(self, resource: str, field: tuple[str, str] | None = None) -> None:
        self.resource = resource
        self.field = field
        self.watch = 0
        self.optional = False  # the resource may not be served (any more), as a custom one
        self.store: dict[str, Object] = {}
        self._index_functions: dict[str, IndexFunc] = {}
        self._indexes: dict[str, dict[str, dict[str, Object]]] | None = None
        self._handlers: list[Handler] = []

    # Declaring.

    def add_index(self, name: str, function: IndexFunc) -> None:
        """Declares an index; asking twice for the same name is harmless."""
        self._index_functions.setdefault(name, function)
        self._indexes = None

    def on_change(self, handler: Handler) -> None:
        """Calls `handler(old, new)` for each delivery: old is None for an added object, new is None for a deleted one."""
        self._handlers.append(handler)

    # Reading.

    def get(self, key: str) -> Object | None:
        return self.store.get(key)

    def list(self, namespace: str | None = None) -> Objects:
        """All objects, or those of a namespace (index `namespace` if declared)."""
        if namespace is None:
            return list(self.store.values())
        if "namespace" in self._index_functions:
            return self.indexed("namespace", namespace)
        return [obj for obj in self.store.values() if obj["metadata"].get("namespace") == namespace]

    def indexed(self, index: str, value: str) -> Objects:
        """The objects that an index lists under a value, by key: an order that a rebuilt index gives as well."""
        if self._indexes is None:
            self._rebuild()
        assert self._indexes is not None
        found = self._indexes[index].get(value)
        return [found[key] for key in sorted(found)] if found else []

    # Filling: called by the process that owns the informer.

    def replace(self, objects: Iterable[Object]) -> None:
        """Takes a fresh list and tells the handlers the differences, as a relist does."""
        before, self.store = self.store, {key_of(obj): obj for obj in objects}
        self._indexes = None
        for key, obj in self.store.items():
            old = before.get(key)
            if old is None or old["metadata"].get("resourceVersion") != obj["metadata"].get("resourceVersion"):
                self._tell(old, obj)
        for key, obj in before.items():
            if key not in self.store:
                self._tell(obj, None)

    def apply(self, kind: str, key: str, obj: Object) -> None:
        """Takes one watch event (ADDED, MODIFIED, DELETED)."""
        old = self.store.get(key)
        if kind == "DELETED":
            if old is None:
                return
            del self.store[key]
            self._reindex(key, old, None)
            self._tell(obj, None)
            return
        self.store[key] = obj
        self._reindex(key, old, obj)
        self._tell(old, obj)

    def load(self, store: dict[str, Object]) -> None:
        """Goes back to a checkpointed store, silently."""
        self.store = store
        self._indexes = None

    def _tell(self, old: Object | None, new: Object | None) -> None:
        for handler in self._handlers:
            handler(old, new)

    def _reindex(self, key: str, old: Object | None, new: Object | None) -> None:
        indexes = self._indexes
        if indexes is None:
            return
        for name, function in self._index_functions.items():
            index = indexes[name]
            after = tuple(function(new)) if new is not None else ()
            if old is not None:
                for value in function(old):
                    if value not in after:
                        index[value].pop(key, None)
                        if not index[value]:
                            del index[value]
            for value in after:
                index.setdefault(value, {})[key] = new  # type: ignore[assignment]

    def _rebuild(self) -> None:
        self._indexes = {name: {} for name in self._index_functions}
        for key, obj in self.store.items():
            self._reindex(key, None, obj)
