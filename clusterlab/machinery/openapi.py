"""OpenAPI documents: v3 per group version with their index, and v2 of everything; from the published schemas and the registry.

Follows kube-openapi's pkg/handler3 and builder3 (the index, paths, extensions) and apiserver/pkg/endpoints/installer.go (which
parameters an operation has). Enumerations come from data/enums.txt and enum_texts.txt; parameters and operations carry no
descriptions. Documents are built when first asked for and kept as bytes per process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from clusterlab.machinery.openapi_paths import operations
from clusterlab.machinery.schema import VERSION, definitions, type_name
from clusterlab.machinery.scheme import BUILTIN, Registry, Resource

__all__ = ["custom_definitions_v2", "custom_document", "custom_schema_name", "document", "document_v2", "index", "path_of"]

Json = dict[str, Any]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_V3 = "#/components/schemas/"
_V2 = "#/definitions/"
_ALWAYS = (f"{_META}Status", f"{_META}DeleteOptions", f"{_META}Patch", f"{_META}APIResourceList")
_SPECIAL: dict[str, Json] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}
_SPECIAL_V2: dict[str, Json] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"format": "int-or-string", "type": "string"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
}


# Schemas.


@cache
def _enums() -> dict[tuple[str, str], list[str]]:
    text = (files("clusterlab.machinery") / "data" / "enums.txt").read_text()
    rows = (line.split("\t") for line in text.split("\n") if line and not line.startswith("#"))
    return {(row[0], row[1]): row[2:] for row in rows}


@cache
def _enum_texts() -> dict[tuple[str, str, str], str]:
    """What is said of a value of an enumeration."""
    text = (files("clusterlab.machinery") / "data" / "enum_texts.txt").read_text()
    rows = (line.split("\t") for line in text.split("\n") if line and not line.startswith("#"))
    return {(row[0], row[1], row[2]): row[3].replace("\\n", "\n") for row in rows}


@cache
def _type_texts() -> dict[str, str]:
    """What is said of types whose published definitions say nothing."""
    told: dict[str, str] = orjson.loads((files("clusterlab.machinery") / "data" / "type_texts.json").read_bytes())
    return told


@cache
def _schema(name: str, version: int) -> Json:
    """A published definition in the form of OpenAPI v2 or v3."""
    definition = definitions()[name]
    special = (_SPECIAL if version == 3 else _SPECIAL_V2).get(name)
    if special is not None:
        return {"description": definition.get("description") or _type_texts()[name], **special}
    out = {key: _plain(key, value) for key, value in definition.items() if key not in ("properties", "oneOf")}
    if "properties" in definition:
        out["properties"] = {
            field: _property(name, field, schema, version) for field, schema in definition["properties"].items()
        }
    return out


def _plain(key: str, value: Any) -> Any:
    return next((kind for kind in value if kind != "null"), "") if key == "type" and isinstance(value, list) else value


def _property(owner: str, field: str, schema: Json, version: int) -> Json:
    out = _converted(schema, version)
    if field in ("apiVersion", "kind"):
        out.pop("enum", None)
    values = _enums().get((owner, field))
    if values:
        out["enum"] = values
        told = _enum_texts()
        listed = "\n".join(f' - `"{value}"` {told.get((owner, field, value), "")}'.rstrip() for value in values)
        out["description"] = f"{out.get('description', '')}\n\nPossible enum values:\n{listed}"
    values = _enums().get((owner, f"{field}[]"))
    if values:
        inner = "items" if "items" in out else "additionalProperties"
        out[inner] = {**out[inner], "enum": values}
    return out


def _converted(schema: Json, version: int) -> Json:
    out: Json = {}
    for key, value in schema.items():
        if key == "$ref":
            ref = (_V3 if version == 3 else _V2) + value.rsplit("/", 1)[1]
            if version == 3 and len(schema) > 1:
                out["allOf"] = [{"$ref": ref}]
            else:
                out["$ref"] = ref
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = _converted(value, version)
        elif key != "oneOf":
            out[key] = _plain(key, value)
    return out


def _closure(names: Iterable[str]) -> list[str]:
    """The types and all that they refer to, sorted."""
    found: set[str] = set()
    waiting = [name for name in names if name in definitions()]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(name)
    return sorted(found)


@cache
def _references(name: str) -> tuple[str, ...]:
    return tuple(_refs(definitions()[name].get("properties") or {}))


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        ref = value.get("$ref")
        if isinstance(ref, str):
            yield ref.rsplit("/", 1)[1]
        for part in value.values():
            if isinstance(part, dict):
                yield from _refs(part)


def _names_of(resource: Resource) -> list[str]:
    """The types that the paths of a resource speak of."""
    kinds = {(resource.group, resource.version, resource.kind), (resource.group, resource.version, resource.list_kind)}
    kinds |= {(sub.group, sub.version, sub.kind) for sub in resource.subresources.values()}
    return [name for name in (type_name(*gvk) for gvk in sorted(kinds)) if name]


# Documents.


def path_of(group: str, version: str) -> str:
    """The name of a group version in the index: `apis/apps/v1` or `api/v1`."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _document(paths: Json, schemas: Json) -> bytes:
    return orjson.dumps({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"v{VERSION}"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"BearerToken": {"type": "apiKey", "in": "header", "name": "authorization"}},
        },
    })


@cache
def document(group: str, version: str) -> bytes | None:
    """The OpenAPI v3 document of a built-in group version; None if there is none."""
    resources = [r for r in BUILTIN if r.group == group and r.version == version and type_name(*r.gvk)]
    if not resources:
        return None
    paths: Json = {}
    names = list(_ALWAYS)
    for resource in resources:
        paths.update(operations(resource, _type_ref))
        names += _names_of(resource)
    return _document(dict(sorted(paths.items())), {name: _schema(name, 3) for name in _closure(names)})


def _type_ref(group: str, version: str, kind: str) -> Json:
    name = type_name(group, version, kind)
    return {"$ref": _V3 + name} if name else {"type": "string"}


def _hash(*parts: str) -> str:
    return hashlib.sha512("\n".join((VERSION, *parts)).encode()).hexdigest().upper()


def index(registry: Registry = BUILTIN, custom: dict[tuple[str, str], str] | None = None) -> Json:
    """The body of /openapi/v3. `custom`: for each group version of custom resources a text that changes with its schemas."""
    paths: Json = {}
    for group, versions in registry.groups().items():
        for version, resources in versions.items():
            text = (custom or {}).get((group, version))
            if text is None and not any(type_name(*r.gvk) for r in resources):
                continue
            path = path_of(group, version)
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={_hash(path, text or '')}"}
    return {"paths": dict(sorted(paths.items()))}


# Custom resources.


def custom_schema_name(group: str, version: str, kind: str) -> str:
    """The name of the type of a custom resource: `com.example.stable.v1.CronTab`."""
    return ".".join([*reversed(group.split(".")), version, kind])


def custom_document(resources: Iterable[tuple[Resource, Json]]) -> bytes:
    """The OpenAPI v3 document of a group version of custom resources, each with its openAPIV3Schema."""
    paths: Json = {}
    schemas: Json = {}
    names = [f"{_META}Status", f"{_META}DeleteOptions", f"{_META}Patch", f"{_META}ObjectMeta", f"{_META}ListMeta"]
    for resource, schema in resources:
        name = custom_schema_name(*resource.gvk)
        list_name = custom_schema_name(resource.group, resource.version, resource.list_kind)
        refs = {resource.kind: name, resource.list_kind: list_name}

        def ref(group: str, version: str, kind: str, refs: dict[str, str] = refs) -> Json:
            return {"$ref": _V3 + refs[kind]} if kind in refs else _type_ref(group, version, kind)

        paths.update(operations(resource, ref))
        schemas[name] = _custom_schema(resource, schema)
        schemas[list_name] = _custom_list(resource, name)
        names += [type_name(s.group, s.version, s.kind) or "" for s in resource.subresources.values()]
    schemas.update({name: _schema(name, 3) for name in _closure(names)})
    return _document(dict(sorted(paths.items())), dict(sorted(schemas.items())))


def _type_meta() -> Json:
    meta = definitions()["io.k8s.api.core.v1.Pod"]["properties"]
    return {key: {"type": "string", "description": meta[key]["description"]} for key in ("apiVersion", "kind")}


def _gvk(resource: Resource, kind: str) -> list[Json]:
    return [{"group": resource.group, "kind": kind, "version": resource.version}]


def _as_object(schema: Json) -> Json:
    """The schema of a whole object, with what each has."""
    meta = {"allOf": [{"$ref": f"{_V3}{_META}ObjectMeta"}]}
    pod = definitions()["io.k8s.api.core.v1.Pod"]["properties"]["metadata"]
    properties = {**_type_meta(), "metadata": {**meta, "description": pod["description"]}}
    return {**schema, "properties": {**(schema.get("properties") or {}), **properties}}


def _with_embedded(schema: Json) -> Json:
    """A schema in which embedded resources have the fields of every object (apiextensions-apiserver, controller/openapi/builder)."""
    out = dict(schema)
    if isinstance(out.get("properties"), dict):
        out["properties"] = {name: _with_embedded(part) for name, part in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _with_embedded(out[key])
    if out.get("x-kubernetes-embedded-resource"):
        required = sorted({*(out.get("required") or ()), "apiVersion", "kind"})
        out = {**_as_object(out), "required": required}
    return out


def _custom_schema(resource: Resource, schema: Json) -> Json:
    out = _as_object(_with_embedded({"type": "object", **schema}))
    out["x-kubernetes-group-version-kind"] = _gvk(resource, resource.kind)
    return out


def _custom_list(resource: Resource, name: str) -> Json:
    return {
        "description": f"{resource.list_kind} is a list of {resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **_type_meta(),
            "items": {"type": "array", "items": {"$ref": _V3 + name}},
            "metadata": {"allOf": [{"$ref": f"{_V3}{_META}ListMeta"}]},
        },
        "x-kubernetes-group-version-kind": _gvk(resource, resource.list_kind),
    }


# Version 2.


def custom_definitions_v2(resources: Iterable[tuple[Resource, Json]]) -> Json:
    """The types of custom resources for /openapi/v2, by name (apiextensions-apiserver, controller/openapi/v2/conversion.go)."""
    found: Json = {}
    for resource, schema in resources:
        name = custom_schema_name(*resource.gvk)
        found[name] = _lowered(_custom_schema(resource, schema))
        found[custom_schema_name(resource.group, resource.version, resource.list_kind)] = _lowered(_custom_list(resource, name))
    return found


def _lowered(schema: Json) -> Json:
    """A schema of version 3 in what version 2 can say; what may be null, or of several types, has no type there."""
    out: Json = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: _lowered(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = _lowered(value)
        elif key == "allOf" and len(value) == 1 and "$ref" in value[0]:
            out["$ref"] = value[0]["$ref"].replace(_V3, _V2)
        elif key == "$ref":
            out[key] = value.replace(_V3, _V2)
        elif key not in ("allOf", "anyOf", "oneOf", "not", "nullable", "default", "x-kubernetes-validations"):
            out[key] = value
    if schema.get("nullable") or schema.get("x-kubernetes-int-or-string"):
        out.pop("type", None)
    if schema.get("nullable"):
        for key in ("items", "properties", "additionalProperties"):
            out.pop(key, None)
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        for key in ("items", "properties"):
            out.pop(key, None)
        if "x-kubernetes-group-version-kind" not in schema:
            out.pop("type", None)
    return out


@cache
def document_v2() -> bytes:
    """The body of /openapi/v2 in JSON: the types of all built-in kinds and their paths."""
    paths: Json = {}
    names = list(_ALWAYS)
    for resource in BUILTIN:
        if type_name(*resource.gvk):
            names += _names_of(resource)
            for path, item in operations(resource, _type_ref).items():
                paths[path] = _swagger_path(item)
    return orjson.dumps({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": f"v{VERSION}"},
        "paths": dict(sorted(paths.items())),
        "definitions": {name: _schema(name, 2) for name in _closure(names)},
        "securityDefinitions": {"BearerToken": {"type": "apiKey", "in": "header", "name": "authorization"}},
        "security": [{"BearerToken": []}],
    })


def _swagger_path(item: Json) -> Json:
    out: Json = {}
    for key, value in item.items():
        if key == "parameters":
            out[key] = [_swagger_parameter(parameter) for parameter in value]
            continue
        made = {name: part for name, part in value.items() if name not in ("requestBody", "parameters", "responses")}
        made["parameters"] = [_swagger_parameter(parameter) for parameter in value.get("parameters", ())]
        body = value.get("requestBody")
        if body:
            schema = next(iter(body["content"].values()))["schema"]
            made["parameters"].append({"name": "body", "in": "body", "required": True, "schema": _swagger_ref(schema)})
            made["consumes"] = list(body["content"])
        made["produces"] = ["application/json", "application/yaml"]
        made["responses"] = {code: _swagger_response(answer) for code, answer in value["responses"].items()}
        out[key] = made
    return out


def _swagger_parameter(parameter: Json) -> Json:
    return {**{key: value for key, value in parameter.items() if key != "schema"}, **parameter["schema"]}


def _swagger_response(answer: Json) -> Json:
    out: Json = {"description": answer["description"]}
    for content in (answer.get("content") or {}).values():
        out["schema"] = _swagger_ref(content["schema"])
        break
    return out


def _swagger_ref(schema: Json) -> Json:
    return {"$ref": schema["$ref"].replace(_V3, _V2)} if "$ref" in schema else schema
