"""Who owns which field: the ledger behind metadata.managedFields.

Follows apimachinery/pkg/util/managedfields. Most objects are never asked for their owners, so a write only notes who wrote what
(two references), and the sets of fields are worked out when a client from outside reads the object or applies it. Objects in
storage and on the watches of the model's processes carry no managedFields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.machinery.apply import track
from clusterlab.machinery.apply.managed import entries_of, identity

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.apiserver.storage import Bucket, Write
    from clusterlab.machinery.schema import Node
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]
Entry = dict[str, Any]

__all__ = ["Ledger"]

#: Noted writes of one object before they are worked out, so that no long chain of old versions is kept alive.
PENDING_MOST = 6


#: Objects whose owners are worked out at a time: some milliseconds.
PIECE = 50


class Note(NamedTuple):
    """One write: what was there, what the manager sent (with defaults), who and when."""

    before: Object | None
    after: Object
    manager: str
    api_version: str
    subresource: str
    time: str


class Record(NamedTuple):
    """The owners of one object: entries worked out, and writes noted since."""

    entries: list[Entry]
    notes: tuple[Note, ...]


def _given(call: Call) -> list[Entry] | None:
    """The managedFields that a request brings."""
    found: list[Entry] | None = ((call.claimed or {}).get("metadata") or {}).get("managedFields")
    return found if not call.subresource else None


def _asked_for(obj: Object) -> Object:
    """An object of the beginning without what the server itself adds to it."""
    if obj["kind"] == "Namespace":
        return {key: value for key, value in obj.items() if key != "spec"}
    if obj["kind"] == "Service":
        return {**obj, "spec": {key: value for key, value in obj["spec"].items() if key not in ("clusterIPs", "ipFamilies")}}
    return {key: value for key, value in obj.items() if key != "rules" or "aggregationRule" not in obj}


def _owners(entries: list[Entry]) -> dict[tuple[str, ...], Any]:
    """Who owns what, whenever it was."""
    return {identity(entry): entry.get("fieldsV1") for entry in entries}


class Ledger:
    """The owners of all objects, by bucket and key. Records are never changed, only replaced."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.records: dict[str, dict[str, Record]] = {}  # bucket prefix -> key -> record

    # Writing.

    def written(self, call: Call, write: Write) -> None:
        """Notes a create, update or patch; after an apply takes the entries that it made."""
        records = self.records.setdefault(write.bucket.prefix, {})
        if call.operation == "Apply":
            records[write.key] = Record(call.entries or [], ())
            return
        note = Note(
            write.old, call.claimed if call.claimed is not None else write.last, call.manager, call.resource.api_version,
            call.field_subresource, self.server.sim.now_rfc3339(),
        )
        given = _given(call)
        known = records.get(write.key) if write.old is not None else None
        if known is None:
            records[write.key] = Record([], (note,))
            return
        notes = known.notes
        if given is not None:  # the client says itself who owns what
            records[write.key] = Record(self._worked_out(call.resource, Record(known.entries, (*notes, note))), ())
            return
        if notes and notes[-1].before is not None and notes[-1][2:5] == note[2:5]:
            records[write.key] = Record(known.entries, (*notes[:-1], note._replace(before=notes[-1].before)))
            return
        record = Record(known.entries, (*notes, note))
        if len(record.notes) > PENDING_MOST:
            record = Record(self._worked_out(call.resource, record), ())
        records[write.key] = record

    def begun(self, resource: Resource, bucket: Bucket, key: str, obj: Object, manager: str) -> None:
        """Notes who made an object that the cluster begins with. Rules that were gathered belong to who gathered them."""
        since = obj["metadata"]["creationTimestamp"]
        note = Note(None, _asked_for(obj), manager, obj["apiVersion"], "", since)
        record = Record([], (note,))
        if obj.get("aggregationRule"):
            gathered = {
                "manager": "clusterrole-aggregation-controller", "operation": "Apply", "apiVersion": obj["apiVersion"], "time": since,
                "fieldsType": "FieldsV1", "fieldsV1": {"f:rules": {}},
            }
            record = Record([gathered, *self._worked_out(resource, record)], ())
        self.records.setdefault(bucket.prefix, {})[key] = record

    def removed(self, write: Write) -> None:
        """Forgets an object that was deleted."""
        records = self.records.get(write.bucket.prefix)
        if records is not None:
            records.pop(write.key, None)

    # Reading.

    def entries(self, resource: Resource, bucket: Bucket, key: str) -> list[Entry]:
        """The managedFields of an object."""
        records = self.records.get(bucket.prefix)
        record = records.get(key) if records is not None else None
        if records is None or record is None:
            return []
        if record.notes:
            record = records[key] = Record(self._worked_out(resource, record), ())
        return record.entries

    def as_of_now(self, resource: Resource, bucket: Bucket) -> Callable[[str], list[Entry]]:
        """The managedFields of the objects of a bucket by key, as they are now whatever is written later. Costs a copy of references; what
        has to be worked out is so when it is asked for, and kept for others where it still holds."""
        then, node = self.records.get(bucket.prefix, {}).copy(), self.server.node(resource)

        def entries(key: str) -> list[Entry]:
            record = then.get(key)
            if record is None or not record.notes:
                return record.entries if record is not None else []
            found = self._worked_out(resource, record, node)
            records = self.records.get(bucket.prefix)
            if records is not None and records.get(key) is record:
                records[key] = Record(found, ())
            return found

        return entries

    def working_off(self, resource: Resource, bucket: Bucket, namespace: str = "") -> Iterator[None]:
        """Works out the owners of all objects in small pieces, so that a host can give way to others before it reads them."""
        records = self.records.get(bucket.prefix) or {}
        waiting = [key for key, record in records.items() if record.notes and (not namespace or key.startswith(namespace + "/"))]
        for i, key in enumerate(waiting):
            if key in records:
                self.entries(resource, bucket, key)
            if i % PIECE == PIECE - 1:
                yield

    def claims(self, call: Call, bucket: Bucket, key: str, old: Object) -> bool:
        """Whether a request changes who owns what, though it changes no field."""
        if call.operation == "Apply":
            return call.entries != self.entries(call.resource, bucket, key)
        given, entries = _given(call), self.entries(call.resource, bucket, key)
        if given is None:
            return self._lays_hands_on(call, old, entries)
        return entries_of({"metadata": {"managedFields": entries}}, {"metadata": {"managedFields": given}}, "") != entries

    def _lays_hands_on(self, call: Call, old: Object, entries: list[Entry]) -> bool:
        """Whether a writer asked for other values in vain: the strategy took them back, yet the fields are the writer's now."""
        node, asked = self.server.node(call.resource), call.claimed
        if node is None or asked is None or call.trusted or asked is old or call.resource is not call.store.storage:
            return False
        before = {**old, "metadata": {**old["metadata"], "managedFields": entries}}
        reset = self.reset(call.resource, call.subresource)
        after = track(before, asked, node, call.resource.api_version, call.manager, "", call.field_subresource, reset)
        return _owners(after) != _owners(entries)

    def _worked_out(self, resource: Resource, record: Record, node: Node | None = None) -> list[Entry]:
        node = self.server.node(resource) if node is None else node
        entries = record.entries
        if node is None:
            return entries
        for note in record.notes:
            before = note.before
            if before is not None:
                before = {**before, "metadata": {**before["metadata"], "managedFields": entries}}
            entries = track(
                before, note.after, node, note.api_version, note.manager, note.time, note.subresource,
                self.reset(resource, note.subresource),
            )
        return entries

    def reset(self, resource: Resource, subresource: str) -> dict[str, Any] | None:
        """The fields that a write through an endpoint does not reach."""
        if subresource == "status":
            return {"f:spec": {}}
        return {"f:status": {}} if "status" in resource.subresources else None

    # State.

    def checkpoint(self) -> dict[str, dict[str, Record]]:
        return {prefix: records.copy() for prefix, records in self.records.items()}

    def restore(self, data: dict[str, dict[str, Any]]) -> None:
        self.records = {prefix: records.copy() for prefix, records in data.items()}
