"""From an object or a list to a Table. Follows staging/src/k8s.io/apiserver/pkg/registry/rest/table.go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.tables.cells import Column, Context, age
from clusterlab.apiserver.tables.printers import printer_of

if TYPE_CHECKING:
    from clusterlab.apiserver.listing import Moment
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]

__all__ = ["table"]

_NAME = Column("Name", "string", "name", "Name must be unique within a namespace. Is required when creating resources, although some "
    "resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for "
    "creation idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names")
_CREATED = Column("Created At", "date", "", "CreationTimestamp is a timestamp representing the server time when this object was created.")


def table(server: ApiServer, resource: Resource, answer: Object, include: str, moment: Moment | None = None) -> Object:
    """The table of an object or a list. `include`: what goes into each row's object: None, Metadata (the default) or Object. With a
    moment it is a part of a long list that was read then."""
    items = answer.get("items") if answer.get("kind") == resource.list_kind else None
    objects = [answer] if items is None else items
    if items is not None and resource.plural == "flowschemas":  # the only list that is printed in an order of its own
        objects = sorted(items, key=lambda obj: (obj["spec"].get("matchingPrecedence", 0), obj["metadata"]["name"]))
    meta = answer.get("metadata") or {}
    head = {key: meta[key] for key in ("resourceVersion", "continue", "remainingItemCount") if key in meta}
    columns, rows = _rows(server, resource, objects, moment)
    return {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": head, "columnDefinitions": columns,
        "rows": [_row(server, resource, cells, obj, include, moment) for cells, obj in zip(rows, objects, strict=True)],
    }


def _rows(
    server: ApiServer, resource: Resource, objects: list[Object], moment: Moment | None,
) -> tuple[list[Object], list[Any]]:
    context = Context(server.sim.now() if moment is None else moment.now)
    kind = objects[0].get("kind") if objects else resource.kind
    if kind == "Scale":
        printer = printer_of("autoscaling", "Scale")
    elif resource.custom:
        printer = server.custom_printer(resource) if moment is None else moment.printer
    else:
        printer = printer_of(resource.group, resource.kind)
    if printer is not None:
        return printer.definitions, [printer.cells(obj, context) for obj in objects]
    if resource.custom:
        columns = [_NAME, Column("Age", "date", "", _CREATED.description)]
        return [c.definition for c in columns], [
            {"cells": [obj["metadata"]["name"], age(obj["metadata"].get("creationTimestamp"), context)]} for obj in objects
        ]
    definitions = [_NAME.definition, _CREATED.definition]
    return definitions, [{"cells": [o["metadata"]["name"], o["metadata"].get("creationTimestamp")]} for o in objects]


def _row(server: ApiServer, resource: Resource, row: Object, obj: Object, include: str, moment: Moment | None) -> Object:
    if include == "None":
        return {**row, "object": None}
    if include == "Object":
        return {**row, "object": server.presented(resource, obj, moment)}
    return {**row, "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}}
