"""Types: the published schema of each kind as a tree of nodes that decoding, patches and server-side apply walk.

Schemas come from the package kubernetes-validate (kubernetes-json-schema), for Kubernetes `VERSION`. What they do not tell, the
Go type of a field and when Go writes it, is in data/go_types.txt (facts read off staging/src/k8s.io/api/*/*/types.go); types
that it does not list are taken to follow the schema. Custom resources get their nodes from openAPIV3Schema.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import kubernetes_validate
import orjson

__all__ = ["ANY", "DEDUCED", "VERSION", "Node", "definition_of", "definitions", "from_openapi", "go_fields", "node_of", "type_name"]

GVK = tuple[str, str, str]
Json = dict[str, Any]

#: The version of Kubernetes whose schemas are used.
VERSION = "1.36.0"

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intstr",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "any",
    f"{_META}FieldsV1": "any", f"{_META}Patch": "any", f"{_META}Time": "time", f"{_META}MicroTime": "microtime",
}
#: Defaults of keys of associative lists, which the published schemas leave out.
_KEY_DEFAULTS = {("io.k8s.api.core.v1.ContainerPort", "protocol"): "TCP", ("io.k8s.api.core.v1.ServicePort", "protocol"): "TCP"}
_SCALARS = {"string": "string", "boolean": "bool", "number": "float"}


class Node:
    """The type of a value.

    `kind`: struct, map, list, string, int32, int64, bool, float, bytes, quantity, intstr, time, microtime, any or deduced.
    `item`: of maps and lists. `list_type`: atomic, set or map, the last with `keys`; `merge_key` and `strategies` are those of
    strategic merge patch. `mode` says when Go writes the field (see data/go_types.txt), `embedded` the structs that it is inlined
    through, `always` what Go writes for fields that are not set.
    """

    __slots__ = (
        "_always", "_fields", "atomic", "default", "embedded", "go", "item", "keys", "kind", "list_type", "merge_key", "mode",
        "name", "nullable", "preserve", "strategies",
    )

    def __init__(self, kind: str, go: str = "") -> None:
        self.kind = kind
        self.go = go
        self.name = ""
        self.item: Node | None = None
        self.atomic = False
        self.list_type = "atomic" if kind == "list" else ""
        self.keys: tuple[str, ...] = ()
        self.merge_key = ""
        self.strategies: tuple[str, ...] = ()
        self.mode = "e"
        self.embedded: tuple[str, ...] = ()
        self.preserve = False
        self.nullable = False
        self.default: Any = None
        self._fields: dict[str, Node] | None = None
        self._always: dict[str, Any] | None = None

    @property
    def fields(self) -> dict[str, Node]:
        """The fields of a struct by their JSON names."""
        found = self._fields
        if found is None:
            found = self._fields = _expand(self.name)
        return found

    @property
    def always(self) -> dict[str, Any]:
        """The fields of a struct that Go writes even when they are not set, with their zero values. Not to be changed."""
        found = self._always
        if found is None:
            found = self._always = _zeros(self)
        return found

    def field(self, name: str) -> Node | None:
        """The type of a field of a struct, or of any value of a map."""
        if self.kind == "struct":
            return self.fields.get(name)
        return self.item

    def copy(self) -> Node:
        """A node of the same type, for a field with properties of its own."""
        new = Node(self.kind, self.go)
        for slot in Node.__slots__:
            setattr(new, slot, getattr(self, slot))
        return new

    @property
    def go_kind(self) -> str:
        """The type as Go's reflection prints it, pointers dropped."""
        return self.go.lstrip("*")

    def __repr__(self) -> str:
        return f"Node({self.kind}, {self.name or self.go})"


#: The type of a value that nothing is known of.
ANY = Node("any")
#: The same within a custom resource, where maps are merged by their keys.
DEDUCED = Node("deduced")


# Published schemas.


@cache
def definitions() -> dict[str, Json]:
    """All published type definitions by name, e.g. "io.k8s.api.core.v1.Pod". Not to be changed."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{VERSION}-local"
    found: dict[str, Json] = orjson.loads((folder / "_definitions.json").read_bytes())["$defs"]
    return found


@cache
def _names() -> dict[GVK, str]:
    found: dict[GVK, str] = {}
    for name, definition in definitions().items():
        for gvk in definition.get("x-kubernetes-group-version-kind") or ():
            if len(definition["x-kubernetes-group-version-kind"]) == 1 or name.startswith(_META):
                found.setdefault((gvk["group"], gvk["version"], gvk["kind"]), name)
    return found


def type_name(group: str, version: str, kind: str) -> str | None:
    """The name of the type of a kind, e.g. "io.k8s.api.core.v1.Pod"."""
    return _names().get((group, version, kind))


def definition_of(name: str) -> Json:
    """A published type definition by name."""
    return definitions()[name]


@cache
def _go_types() -> dict[str, dict[str, tuple[str, str, tuple[str, ...]]]]:
    text = (files("clusterlab.machinery") / "data" / "go_types.txt").read_text()
    found: dict[str, dict[str, tuple[str, str, tuple[str, ...]]]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, *words = line.split(" ")
        rows: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        for word in words:
            field, go, mode, *embedded = word.split(":")
            rows[field] = (go, mode, tuple(embedded[0].split(".")) if embedded else ())
        found[name] = rows
    return found


def go_fields(name: str) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """The fields of a Go struct in their order: JSON name -> (Go type, when it is written, structs that it is inlined through)."""
    return _go_types().get(name, {})


@cache
def _struct(name: str) -> Node:
    special = _SPECIAL.get(name)
    short = ".".join(name.rsplit(".", 2)[-2:])
    if special is not None:
        return Node(special, short)
    definition = definitions()[name]
    node = Node("struct", short)
    node.name = name
    node.atomic = definition.get("x-kubernetes-map-type") == "atomic"
    return node


@cache
def node_of(group: str, version: str, kind: str) -> Node | None:
    """The type of a built-in kind."""
    name = type_name(group, version, kind)
    return _struct(name) if name else None


@cache
def _expand(name: str) -> dict[str, Node]:
    table = _go_types().get(name, {})
    definition = definitions()[name]
    required = definition.get("required") or ()
    found = {}
    for field, schema in (definition.get("properties") or {}).items():
        go, mode, embedded = table.get(field, ("", "", ()))
        node = _build(schema, go)
        node.go = go or node.go
        node.mode = mode or ("a" if field in required else "e")
        node.embedded = embedded
        node.default = _KEY_DEFAULTS.get((name, field))
        found[field] = node
    return found


_ZERO = {"string": "", "int32": 0, "int64": 0, "float": 0, "bool": False, "quantity": "0", "intstr": 0, "time": None, "microtime": None}


#: Pointers without omitempty that objects may well lack: the group of a reference, the namespace of a volume's secret.
_NULLS = ("apiGroup", "secretNamespace")


def _zeros(node: Node) -> dict[str, Any]:
    """Lists, maps and most pointers that Go would write as null are left out."""
    found: dict[str, Any] = {}
    for name, field in node.fields.items():
        if field.mode == "a" and name in _NULLS and field.go == "*string":
            found[name] = None
            continue
        if field.mode not in ("a", "s") or field.go.startswith("*"):
            continue
        if field.kind == "struct":
            found[name] = field.always
        elif field.kind in _ZERO and (field.kind, field.mode) != ("intstr", "s"):  # a targetPort that is not set is not 0 here
            found[name] = _ZERO[field.kind]
    return found


def _build(schema: Json, go: str) -> Node:
    ref = schema.get("$ref")
    if ref is not None:
        node = _struct(ref.rsplit("/", 1)[1]).copy()
        if kind := schema.get("x-kubernetes-map-type"):  # a field may say otherwise than its type
            node.atomic = kind == "atomic"
        node.strategies = tuple(filter(None, (schema.get("x-kubernetes-patch-strategy") or "").split(",")))
        return node
    kinds = schema.get("type")
    kind = next((k for k in kinds if k != "null"), "") if isinstance(kinds, list) else kinds or ""
    if kind == "array":
        node = Node("list", go)
        node.item = _build(schema.get("items") or {}, go.lstrip("*").removeprefix("[]"))
        node.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        node.merge_key = schema.get("x-kubernetes-patch-merge-key") or ""
        node.strategies = tuple(filter(None, (schema.get("x-kubernetes-patch-strategy") or "").split(",")))
        node.list_type = schema.get("x-kubernetes-list-type") or _implied(node)
        return node
    if kind == "object":
        node = Node("map", go or "map[string]string")
        values = schema.get("additionalProperties")
        node.item = _build(values, go.lstrip("*").partition("]")[2]) if isinstance(values, dict) else ANY
        node.atomic = schema.get("x-kubernetes-map-type") == "atomic"
        return node
    if kind == "integer":
        kind = "int64" if schema.get("format") == "int64" else "int32"
    elif kind == "string" and schema.get("format") == "byte":
        return Node("bytes", go or "[]uint8")
    else:
        kind = _SCALARS.get(kind, "any")
    return Node(kind, go or kind)


def _implied(node: Node) -> str:
    """The list type of a list that names none, as kube-openapi's schemaconv takes it from the patch strategy."""
    if "merge" not in node.strategies:
        return "atomic"
    if node.merge_key:
        node.keys = (node.merge_key,)
        return "map"
    return "set"


# Custom resources.


def from_openapi(schema: Json, name: str = "") -> Node:
    """The type of a custom resource from its openAPIV3Schema; metadata, apiVersion and kind are added."""
    node = _custom(schema)
    if node.kind != "struct":
        node = Node("struct")
        node.preserve = True
        node._fields = {}
    node.name = name
    head = {"apiVersion": Node("string", "string"), "kind": Node("string", "string"), "metadata": _struct(f"{_META}ObjectMeta")}
    node._fields = {**(node._fields or {}), **head}
    return node


def _custom(schema: Json) -> Node:
    kind = schema.get("type") or ""
    if schema.get("x-kubernetes-int-or-string"):
        node = Node("intstr")
    elif kind == "array":
        node = Node("list")
        node.item = _custom(schema.get("items") or {})
        node.list_type = schema.get("x-kubernetes-list-type") or "atomic"
        node.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    elif kind == "object" or "properties" in schema:
        node = _custom_object(schema)
    elif kind == "integer":
        node = Node("int32" if schema.get("format") == "int32" else "int64")
    else:
        node = Node(_SCALARS.get(kind, "deduced"))
    node.nullable = bool(schema.get("nullable"))
    node.default = schema.get("default")
    return node


def _custom_object(schema: Json) -> Node:
    values = schema.get("additionalProperties")
    preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if isinstance(values, dict) or values is True:
        node = Node("map")
        node.item = _custom(values) if isinstance(values, dict) else DEDUCED
    else:
        node = Node("struct")
        node.preserve = preserve
        node._fields = {name: _custom(part) for name, part in (schema.get("properties") or {}).items()}
        if schema.get("x-kubernetes-embedded-resource"):
            extra = {"apiVersion": Node("string"), "kind": Node("string"), "metadata": _struct(f"{_META}ObjectMeta")}
            node._fields = {**node._fields, **extra}
    node.atomic = schema.get("x-kubernetes-map-type") == "atomic"
    return node
