"""Long lists, written down in pieces: a list is read in one moment, and what it says is that moment's however long the writing takes.

Objects in storage are never changed, only replaced, so that to keep a list is to keep references; besides them a list depends on the
owners of fields, the simulated time (ages in tables) and the columns of a custom resource, which a Moment holds. The bytes are those
that encoding.py makes of the whole: kube-apiserver streams long lists item by item in the same way
(staging/src/k8s.io/apimachinery/pkg/runtime/serializer/json/collections.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.apiserver.encoding import ORDERED_MOST, dump, shaped

if TYPE_CHECKING:
    from clusterlab.apiserver.negotiation import Accepted
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.client.api import Request
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]

__all__ = ["PIECE", "Moment", "is_long", "written"]

#: Objects that are written down at a time: some milliseconds.
PIECE = 64
#: The same as YAML, which takes some thirty times as long.
YAML_PIECE = 4
#: Objects of a list that is written in one piece: shorter ones also have an order of fields of their own.
SHORT = PIECE
assert SHORT >= ORDERED_MOST


class Moment:
    """What a list of a resource depends on besides its objects, as it was when it was read."""

    def __init__(self, server: ApiServer, resource: Resource) -> None:
        self.store = server.stores.get(resource.string)
        self.now = server.sim.now()
        self.printer = server.custom_printer(resource) if resource.custom else None
        self.entries = server.managed.as_of_now(self.store.storage, self.store.bucket) if self.store is not None else lambda key: []


def is_long(server: ApiServer, request: Request, resource: Resource, answer: Any) -> bool:
    """Whether an answer is a list that is worth pieces, and can be put together from them."""
    items = answer.get("items")
    if request.verb != "list" or not isinstance(items, list) or len(items) <= SHORT:
        return False
    if answer.get("kind") != resource.list_kind or next(reversed(answer)) != "items" or resource.plural == "flowschemas":
        return False  # a table of flow schemas has an order of its own
    store = server.stores.get(resource.string)  # a webhook may have to convert those of another version: in one moment, all of them
    return not resource.custom or (store is not None and store.storage.version == resource.version)


def written(
    server: ApiServer, resource: Resource, answer: Object, accepted: Accepted, include: str, pretty: bool,
) -> Iterator[bytes]:
    """The parts of the bytes of a list in the form that the client asked for. The moment is that of the call; raises StatusError then
    where the form is none."""
    moment, items = Moment(server, resource), answer["items"]
    size = YAML_PIECE if accepted.yaml else PIECE
    field = "rows" if accepted.kind == "Table" else "items"
    first = shaped(server, resource, {**answer, "items": items[:size]}, accepted, include, moment)

    def parts() -> Iterator[bytes]:
        head, tail = _around(first, field, accepted, pretty)
        yield head + _inside(first[field], accepted, pretty)
        for start in range(size, len(items), size):
            shape = shaped(server, resource, {**answer, "items": items[start:start + size]}, accepted, include, moment)
            yield (b"" if accepted.yaml else b",\n" if pretty else b",") + _inside(shape[field], accepted, pretty)
        yield tail

    return parts()


def _around(shape: Object, field: str, accepted: Accepted, pretty: bool) -> tuple[bytes, bytes]:
    """What stands before and after the objects of a list."""
    empty = f"{field}: []\n" if accepted.yaml else f'"{field}": []' if pretty else f'"{field}":[]'
    head, found, tail = dump({**shape, field: []}, accepted, pretty).rpartition(empty.encode())
    assert found
    if accepted.yaml:
        return head + f"{field}:\n".encode(), tail
    return (head + f'"{field}": [\n'.encode(), b"\n  ]" + tail) if pretty else (head + f'"{field}":['.encode(), b"]" + tail)


def _inside(objects: list[Object], accepted: Accepted, pretty: bool) -> bytes:
    """Objects as they stand in a list, without what is around them."""
    if accepted.yaml:
        return dump(objects, accepted)
    if pretty:  # no text in JSON has a line break
        return b"  " + orjson.dumps(objects, option=orjson.OPT_INDENT_2)[2:-2].replace(b"\n", b"\n  ")
    return orjson.dumps(objects)[1:-1]
