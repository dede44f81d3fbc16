"""Custom resources: what CustomResourceDefinitions make the server serve.

Follows staging/src/k8s.io/apiextensions-apiserver/pkg/{apiserver/customresource_handler.go,apiserver/schema,controller}. A
definition is established within the request that writes it: the controllers of Kubernetes that accept its names and establish it
live in the server too, and take a moment there. Conversion by webhook is left out; versions differ in name only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from clusterlab.apiserver.core import MAX_OBJECT
from clusterlab.apiserver.tables.custom import custom_printer
from clusterlab.apiserver.validation.custom import create_custom, update_custom
from clusterlab.machinery import openapi
from clusterlab.machinery.convert import DecodeError, decode_node, strict_error
from clusterlab.machinery.errors import bad_request, status
from clusterlab.machinery.schema import Node, from_openapi
from clusterlab.machinery.scheme import Resource, Subresource

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.apiserver.tables.cells import Printer
    from clusterlab.machinery.field import FieldError

Object = dict[str, Any]
Json = dict[str, Any]

__all__ = ["Custom", "Definition", "is_established", "version_order"]

#: The type of metadata, which is the same for every custom resource.
_META_NODE = from_openapi({}, "").fields["metadata"]
_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")


class Definition(NamedTuple):
    """One served version of a definition, worked out."""

    resource: Resource
    schema: Json | None
    node: Node | None
    subresources: Json
    printer: Printer
    selectable: tuple[str, ...]
    warning: str


def version_order(name: str) -> tuple[int, int, int, str]:
    """Sorts versions as discovery does: v10, v2, v1, v1beta1, v1alpha1, anything else by name (apimachinery/pkg/version)."""
    match = _VERSION.fullmatch(name)
    if match is None:
        return (1, 0, 0, name)
    major, kind, minor = match.groups()
    stage = {None: 0, "beta": 1, "alpha": 2}[kind]
    return (0, stage, -int(major) * 1000 - int(minor or 0), "")


def is_established(crd: Object) -> bool:
    """Whether a definition is served."""
    return any(c["type"] == "Established" and c["status"] == "True" for c in (crd.get("status") or {}).get("conditions") or ())


class Custom:
    """The definitions in force. Derived from the stored ones."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.definitions: dict[tuple[str, str, str], Definition] = {}  # (group, version, plural)
        self.storage_versions: dict[str, str] = {}  # resource string -> version

    def load(self) -> None:
        """Reads all definitions anew and serves what they define."""
        self.definitions, self.storage_versions = {}, {}
        bucket = self.server.stores["customresourcedefinitions"].bucket
        resources: list[Resource] = []
        crds = [bucket.objects[key] for key in bucket.ordered() if is_established(bucket.objects[key])]
        for crd in sorted(crds, key=lambda found: str(found["spec"]["group"])):
            resources += self._define(crd)
        self.server.serve_custom(self.server.builtin.with_custom(_by_group(resources)))

    def check(self, crd: Object) -> None:
        """Raises BadRequest for a definition whose schemas cannot be read at all; finer faults are validation's."""
        for version in crd["spec"].get("versions") or ():
            schema = (version.get("schema") or {}).get("openAPIV3Schema")
            try:
                _walk_schema(schema or {})
                custom_printer(version.get("additionalPrinterColumns"))
            except (AttributeError, TypeError, KeyError):
                name = version.get("name", "")
                raise bad_request(
                    'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition: '
                    f"json: the schema of version {name} has a value where it needs a schema"
                ) from None

    def _define(self, crd: Object) -> list[Resource]:
        made = []
        served = [version for version in crd["spec"]["versions"] if version.get("served")]
        served.sort(key=lambda version: version_order(version["name"]))
        for position, version in enumerate(served):
            definition = _definition(crd, version, position == 0)
            resource = definition.resource
            self.definitions[(resource.group, resource.version, resource.plural)] = definition
            made.append(resource)
        if made:
            storage = next((v["name"] for v in crd["spec"]["versions"] if v.get("storage")), made[0].version)
            self.storage_versions[made[0].string] = storage
        return made

    def of(self, resource: Resource) -> Definition | None:
        """The definition of a custom resource in that version."""
        return self.definitions.get((resource.group, resource.version, resource.plural))

    # What the rest of the server asks.

    def scale_paths(self, resource: Resource) -> tuple[str, str, str] | None:
        """The paths of the subresource scale."""
        definition = self.of(resource)
        scale = (definition.subresources if definition is not None else {}).get("scale")
        if scale is None:
            return None
        return scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath") or ""

    def decode(self, call: Call, body: Object, duplicates: list[str]) -> Object:
        """A body with what its schema does not know dropped and told; raises BadRequest in strict requests."""
        definition = self.of(call.resource)
        unknown: list[str] = []
        kind = call.resource.kind
        head = f'{kind} in version "{call.resource.version}" cannot be handled as a {kind}: '
        try:
            meta, strange = decode_node(_META_NODE, body.get("metadata"))
        except DecodeError as error:
            raise bad_request(head + str(error)) from None
        body = {**body, "metadata": meta}
        duplicates = [*duplicates, *(text.replace('unknown field "', 'unknown field "metadata.') for text in strange)]
        made = _pruned(body, definition.schema, unknown, "", True) if definition is not None and definition.schema else body
        problems = [*duplicates, *(f'unknown field "{path}"' for path in unknown)]
        wanted = call.options.get("fieldValidation") or "Warn"
        if problems and wanted == "Strict":
            raise bad_request(head + strict_error(problems))
        if wanted == "Warn":
            for text in problems:
                call.warn(text)
        return made

    def converted(self, wanted: Resource, obj: Object) -> Object:
        """An object in another version: the strategy None changes apiVersion, and the version's schema does the rest."""
        definition = self.of(wanted)
        made = {**obj, "apiVersion": wanted.api_version}
        if definition is None or not definition.schema:
            return made
        return self.with_defaults(wanted, _pruned(made, definition.schema, [], "", True))

    def with_defaults(self, resource: Resource, obj: Object) -> Object:
        """An object with the defaults of its schema."""
        definition = self.of(resource)
        if definition is None or not definition.schema:
            return obj
        made = _defaulted(obj, definition.schema, [2 * MAX_OBJECT])
        return made if isinstance(made, dict) else obj

    def validate(self, resource: Resource, new: Object, old: Object | None, subresource: str = "") -> list[FieldError]:
        """What is wrong with a new or changed object."""
        definition = self.of(resource)
        schema = definition.schema if definition is not None else None
        parts = definition.subresources if definition is not None else None
        if old is None:
            return create_custom(new, resource.namespaced, schema, parts)
        return update_custom(new, old, schema, parts, subresource)

    def node(self, resource: Resource) -> Node | None:
        definition = self.of(resource)
        return definition.node if definition is not None else None

    def printer(self, resource: Resource) -> Printer | None:
        definition = self.of(resource)
        return definition.printer if definition is not None else None

    def schema_texts(self) -> dict[tuple[str, str], str]:
        """For each group version a text that changes with its schemas."""
        texts: dict[tuple[str, str], str] = {}
        for (group, version, plural), definition in self.definitions.items():
            known = texts.get((group, version), "")
            texts[(group, version)] = known + plural + orjson.dumps(definition.schema or {}).decode()
        return texts

    def document(self, group: str, version: str) -> bytes | None:
        """The OpenAPI v3 document of a group version of custom resources."""
        found = [(d.resource, d.schema or {}) for (g, v, _), d in self.definitions.items() if (g, v) == (group, version)]
        return openapi.custom_document(found) if found else None

    def definitions_v2(self) -> dict[str, Any]:
        """The types of all custom resources for /openapi/v2, by name."""
        return openapi.custom_definitions_v2((each.resource, each.schema or {}) for each in self.definitions.values())


def _walk_schema(schema: Any) -> None:
    """Raises TypeError where something that must be a schema is none."""
    if not isinstance(schema, dict):
        raise TypeError("not a schema")
    for part in (schema.get("properties") or {}).values():
        _walk_schema(part)
    for key in ("items", "additionalProperties", "not"):
        part = schema.get(key)
        if part is not None and not (key == "additionalProperties" and isinstance(part, bool)):
            _walk_schema(part)
    for key in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(key) or ():
            _walk_schema(part)


def _by_group(resources: list[Resource]) -> list[Resource]:
    """Versions of a group in one order, whichever definition they come from; the best version of each resource is preferred."""
    return sorted(resources, key=lambda r: (r.group, version_order(r.version), r.plural))


#: In the order in which discovery tells them (apiextensions-apiserver/pkg/apiserver/customresource_discovery_controller.go).
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


def _definition(crd: Object, version: Object, preferred: bool) -> Definition:
    spec, names = crd["spec"], (crd.get("status") or {}).get("acceptedNames") or crd["spec"]["names"]
    kind, group = names["kind"], spec["group"]
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    parts = version.get("subresources") or {}
    subresources = {}
    if "status" in parts:
        subresources["status"] = Subresource("status", group, version["name"], kind)
    if parts.get("scale"):
        subresources["scale"] = Subresource("scale", "autoscaling", "v1", "Scale")
    resource = Resource(
        group, version["name"], kind, names["plural"], names.get("singular") or kind.lower(), spec["scope"] == "Namespaced",
        tuple(names.get("shortNames") or ()), tuple(names.get("categories") or ()), subresources=subresources, preferred=preferred,
        list_kind=names.get("listKind") or kind + "List", custom=True, verbs=_VERBS,
    )
    warning = ""
    if version.get("deprecated"):
        warning = version.get("deprecationWarning") or _deprecation(spec, version["name"], kind)
    selectable = tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ())
    node = from_openapi(schema, kind) if schema else None
    return Definition(resource, schema, node, parts, custom_printer(version.get("additionalPrinterColumns")), selectable, warning)


def _deprecation(spec: Object, version: str, kind: str) -> str:
    """What is said of a deprecated version that has no words of its own: which one to use instead, if there is a better one."""
    text = f"{spec['group']}/{version} {kind} is deprecated"
    better = [
        one["name"] for one in spec["versions"]
        if one.get("served") and not one.get("deprecated") and version_order(one["name"]) < version_order(version)
    ]
    return f"{text}; use {spec['group']}/{min(better, key=version_order)} {kind}" if better else text


# Pruning and defaults (pkg/apiserver/schema/{pruning,defaulting}).

_META_FIELDS = ("apiVersion", "kind", "metadata")


def _pruned(value: Any, schema: Json, unknown: list[str], path: str, root: bool = False) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return value
        return [_pruned(item, items, unknown, f"{path}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    embedded = root or bool(schema.get("x-kubernetes-embedded-resource"))
    properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
    preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    out: Json = {}
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        if embedded and key in _META_FIELDS:
            out[key] = item
        elif key in properties:
            out[key] = _pruned(item, properties[key], unknown, here)
        elif isinstance(rest, dict):
            out[key] = _pruned(item, rest, unknown, here)
        elif preserve or rest is True:
            out[key] = item
        else:
            unknown.append(here)
    return out


def _defaulted(value: Any, schema: Json, room: list[int]) -> Any:
    """`room`: how many more bytes defaults may add; what etcd would refuse in the end need not be built."""
    if isinstance(value, list):
        items = schema.get("items")
        return [_defaulted(item, items, room) for item in value] if isinstance(items, dict) else value
    if not isinstance(value, dict):
        return value
    properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
    out = dict(value)
    for key, part in properties.items():
        if "default" in part and (key not in out or (out[key] is None and not part.get("nullable"))):
            out[key] = part["default"]
            room[0] -= len(key) + (len(out[key]) if isinstance(out[key], str) else 4 if not out[key] else len(orjson.dumps(out[key])))
            if room[0] < 0:
                raise status(500, "", "etcdserver: request is too large")
        if key in out:
            out[key] = _defaulted(out[key], part, room)
    if isinstance(rest, dict):
        out.update({key: _defaulted(item, rest, room) for key, item in out.items() if key not in properties})
    return out
