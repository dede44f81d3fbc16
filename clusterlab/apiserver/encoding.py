"""Answers: objects as JSON or YAML, as tables for kubectl get, as metadata only; and the lines of a watch.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/response.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import yaml

from clusterlab.apiserver.tables import table
from clusterlab.machinery.errors import StatusError, bad_request, status
from clusterlab.machinery.go_order import in_go_order

if TYPE_CHECKING:
    from clusterlab.apiserver.listing import Moment
    from clusterlab.apiserver.negotiation import Accepted
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]

__all__ = ["ORDERED_MOST", "WatchEncoder", "dump", "shaped"]

#: Lists of more objects than this keep the order of storage.
ORDERED_MOST = 20


def dump(obj: Any, accepted: Accepted, pretty: bool = False) -> bytes:
    """Bytes of an answer."""
    if accepted.yaml:
        return yaml.dump(obj, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True).encode()
    if pretty:
        return orjson.dumps(obj, option=orjson.OPT_INDENT_2)
    return orjson.dumps(obj) + b"\n"


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Words that would be read as something else stand in double quotes, as Go's writer has them."""
        read: str = self.resolve(yaml.ScalarNode, data, (True, False))  # type: ignore[no-untyped-call]
        plain = read == "tag:yaml.org,2002:str" and data not in ("y", "Y", "n", "N")
        return self.represent_scalar("tag:yaml.org,2002:str", data, None if plain else '"')


_Dumper.add_representer(str, _Dumper.represent_str)


def shaped(
    server: ApiServer, resource: Resource, answer: Object, accepted: Accepted, include: str, moment: Moment | None = None,
) -> Object:
    """An answer in the form that the client asked for. With a moment it is a part of a long list that was read then."""
    if not accepted.kind or answer.get("kind") == "Status":
        return _ordered(server, resource, server.presented(resource, answer, moment), 0 if moment else ORDERED_MOST)
    version = f"meta.k8s.io/{accepted.version}"
    if accepted.kind == "Table":
        if include not in ("", "None", "Metadata", "Object"):
            raise bad_request(f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": must be '
                              "'Metadata', 'Object', 'None', or empty")
        return {**table(server, resource, answer, include, moment), "apiVersion": version}
    items = answer.get("items")
    is_list = isinstance(items, list) and answer.get("kind") == resource.list_kind
    if accepted.kind == "PartialObjectMetadataList":
        if not is_list:
            raise _not_acceptable("you requested PartialObjectMetadataList, but the requested object is not a list")
        rows = [_partial(server, resource, item, version, moment) for item in items or ()]
        return {"kind": "PartialObjectMetadataList", "apiVersion": version, "metadata": answer["metadata"], "items": rows}
    if is_list:
        raise _not_acceptable("you requested PartialObjectMetadata, but the requested object is a list")
    return _partial(server, resource, answer, version)


def _not_acceptable(message: str) -> StatusError:
    return status(406, "NotAcceptable", message)


_KIND = ("kind", "apiVersion")


def _ordered(server: ApiServer, resource: Resource, shape: Object, most: int = ORDERED_MOST) -> Object:
    """One object, or a short list, with its fields in Go's order; long lists are not worth the time. What stands in a list of built-in
    objects does not say its kind, as the list has said it (of custom ones each does)."""
    items = shape.get("items")
    if isinstance(items, list):
        if len(items) <= most:
            items = [_ordered(server, resource, item) for item in items]
        if not resource.custom:
            items = [{key: value for key, value in item.items() if key not in _KIND} for item in items]
        return {**shape, "items": items}
    if shape.get("kind") != resource.kind or resource.custom:
        return shape
    made: Object = in_go_order(shape, server.node(resource))
    return {key: made[key] for key in ("kind", "apiVersion") if key in made} | made


def _partial(server: ApiServer, resource: Resource, obj: Object, version: str, moment: Moment | None = None) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": server.presented(resource, obj, moment)["metadata"]}


#: Encoded events that are kept, so that many watchers of the same objects cost little more than one.
LINES_MOST = 4096


class WatchEncoder:
    """Turns the events of one watch into lines. Only the first table of a watch names its columns."""

    def __init__(self, server: ApiServer, resource: Resource, accepted: Accepted, include: str) -> None:
        self.server, self.resource, self.accepted, self.include = server, resource, accepted, include
        self._first = True

    def __call__(self, kind: str, obj: Object) -> bytes:
        if kind == "ERROR":
            return orjson.dumps({"type": kind, "object": obj}) + b"\n"
        lines, key = self.server.watch_lines, (id(obj), kind, self.resource.gvk, self.accepted, self.include, self._first)
        known = lines.get(key)
        if known is not None and known[0] is obj:
            self._first = self._first and kind == "BOOKMARK"
            return known[1]
        line = self._encode(kind, obj)
        if len(lines) >= LINES_MOST:
            lines.clear()
        lines[key] = (obj, line)
        return line

    def _encode(self, kind: str, obj: Object) -> bytes:
        accepted = self.accepted
        if kind == "BOOKMARK" and accepted.kind != "Table":
            shape = {**obj}
            if accepted.kind:
                shape = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{accepted.version}", "metadata": obj["metadata"]}
            return orjson.dumps({"type": kind, "object": shape}) + b"\n"
        if accepted.kind == "PartialObjectMetadataList":
            accepted = accepted._replace(kind="PartialObjectMetadata")
        if kind == "BOOKMARK":
            shape = {
                "kind": "Table", "apiVersion": f"meta.k8s.io/{accepted.version}",
                "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
                "columnDefinitions": None, "rows": [{"cells": [], "object": _bookmark(obj, accepted.version)}],
            }
        else:
            shape = shaped(self.server, self.resource, obj, accepted, self.include)
            if accepted.kind == "Table":
                if not self._first:
                    shape = {**shape, "columnDefinitions": None}
                self._first = False
        if self.accepted.yaml:
            return b"---\n" + dump({"type": kind, "object": shape}, self.accepted)
        return orjson.dumps({"type": kind, "object": shape}) + b"\n"


def _bookmark(obj: Object, version: str) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}
