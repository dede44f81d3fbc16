"""Built-in kinds as types of CEL. Follows staging/src/k8s.io/apiserver/pkg/cel/{common,openapi}/schemas.go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clusterlab.machinery.cel_types import Type
from clusterlab.machinery.schema import Node, node_of

__all__ = ["kind_type"]

_PLAIN = {
    "string": "string", "quantity": "string", "bool": "bool", "int32": "int", "int64": "int", "float": "double", "bytes": "bytes",
    "time": "timestamp", "microtime": "timestamp",
}


class _Fields(Mapping[str, Type]):
    """The fields of a struct; their types are worked out when they are asked for, as structs may hold themselves."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __getitem__(self, name: str) -> Type:
        return _type(self.node.fields[name])

    def __contains__(self, name: object) -> bool:
        return name in self.node.fields

    def __iter__(self) -> Iterator[str]:
        return iter(self.node.fields)

    def __len__(self) -> int:
        return len(self.node.fields)


def _type(node: Node) -> Type:
    if node.kind == "struct":
        return ("object", node.name, _Fields(node))
    if node.kind == "list":
        return ("list", _type(node.item) if node.item is not None else "dyn")
    if node.kind == "map":
        return ("map", "string", _type(node.item) if node.item is not None else "dyn")
    return _PLAIN.get(node.kind, "dyn")


def kind_type(group: str, version: str, kind: str) -> Type | None:
    """The type of objects of a built-in kind; None where there is no schema."""
    node = node_of(group, version, kind)
    return None if node is None else _type(node)
