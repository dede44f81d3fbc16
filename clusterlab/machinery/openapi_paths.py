"""The paths and operations of a resource in OpenAPI v3: what apiserver/pkg/endpoints/installer.go installs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlab.machinery.scheme import Resource, Subresource

__all__ = ["operations"]

Json = dict[str, Any]
Ref = Callable[[str, str, str], Json]

_STATUS = ("", "v1", "Status")
_OPTIONS = ("", "v1", "DeleteOptions")
_MEDIA = ("application/json", "application/yaml")
#: Only built-in kinds take it; kubectl looks here before it sends one.
_STRATEGIC = "application/strategic-merge-patch+json"
_PATCHES = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json", _STRATEGIC)


def _query(name: str, kind: str) -> Json:
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}


_PRETTY = _query("pretty", "string")
_SELECT = [
    _query("allowWatchBookmarks", "boolean"), _query("continue", "string"), _query("fieldSelector", "string"),
    _query("labelSelector", "string"), _query("limit", "integer"), _query("resourceVersion", "string"),
    _query("resourceVersionMatch", "string"), _query("sendInitialEvents", "boolean"), _query("timeoutSeconds", "integer"),
    _query("watch", "boolean"),
]
_WRITE = [_query("dryRun", "string"), _query("fieldManager", "string"), _query("fieldValidation", "string")]
_PATCH = [*_WRITE, _query("force", "boolean")]
_DELETE = [
    _query("dryRun", "string"), _query("gracePeriodSeconds", "integer"), _query("orphanDependents", "boolean"),
    _query("propagationPolicy", "string"),
]
_DELETE_MANY = [*_DELETE, *(part for part in _SELECT if part["name"] not in ("allowWatchBookmarks", "watch"))]

#: verb: (method, action, words of the operation id, parameters, takes a body, codes)
_ON_LIST = {
    "list": ("get", "list", "list", _SELECT, "", ("200",)),
    "create": ("post", "post", "create", _WRITE, "object", ("200", "201", "202")),
    "deletecollection": ("delete", "deletecollection", "deleteCollection", _DELETE_MANY, "options", ("200",)),
}
_ON_ITEM = {
    "get": ("get", "get", "read", [], "", ("200",)),
    "update": ("put", "put", "replace", _WRITE, "object", ("200", "201")),
    "patch": ("patch", "patch", "patch", _PATCH, "patch", ("200", "201")),
    "delete": ("delete", "delete", "delete", _DELETE, "options", ("200", "202")),
    "create": ("post", "post", "create", _WRITE, "object", ("200", "201", "202")),
}
_CODES = {"200": "OK", "201": "Created", "202": "Accepted", "401": "Unauthorized"}


def operations(resource: Resource, ref: Ref) -> dict[str, Json]:
    """The path items of a resource and its subresources. `ref` gives the schema of a kind."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scoped = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    out: dict[str, Json] = {}
    scope = [_in_path("namespace")] if resource.namespaced else []
    collection = _item(resource, _ON_LIST, resource.verbs, ref, None)
    if collection:
        out[f"{scoped}/{resource.plural}"] = {"parameters": [*scope, _PRETTY], **collection}
    if resource.namespaced and "list" in resource.verbs:
        out[f"{root}/{resource.plural}"] = {"parameters": [_PRETTY], **_everywhere(resource, ref)}
    single = f"{scoped}/{resource.plural}/{{name}}"
    verbs = tuple(verb for verb in resource.verbs if verb != "create")
    item = _item(resource, _ON_ITEM, verbs, ref, None)
    named = [_in_path("name"), *scope, _PRETTY]
    if item:
        out[single] = {"parameters": named, **item}
    for sub in resource.subresources.values():
        if sub.kind.endswith("Options"):
            out[f"{single}/{sub.name}"] = {"parameters": named, **_connect(resource, sub)}
        else:
            out[f"{single}/{sub.name}"] = {"parameters": named, **_item(resource, _ON_ITEM, sub.verbs, ref, sub)}
    return out


def _camel(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in text.split("."))


def _group_word(resource: Resource) -> str:
    group = resource.group.removesuffix(".k8s.io") if resource.group else "core"
    return _camel(group) + _camel(resource.version)


def _gvk(group: str, version: str, kind: str) -> Json:
    return {"group": group, "kind": kind, "version": version}


def _item(
    resource: Resource, table: dict[str, Any], verbs: tuple[str, ...], ref: Ref, sub: Subresource | None,
) -> Json:
    gvk = (sub.group, sub.version, sub.kind) if sub else resource.gvk
    scope = "Namespaced" if resource.namespaced else ""
    tail = _camel(sub.name) if sub else ""
    out: Json = {}
    for verb, (method, action, word, parameters, body, codes) in table.items():
        if verb not in verbs:
            continue
        name = f"{word}{_group_word(resource)}{scope}{resource.kind}{tail}"
        if word == "deleteCollection":
            name = f"delete{_group_word(resource)}Collection{scope}{resource.kind}"
        answer = _STATUS if verb in ("delete", "deletecollection") else gvk
        if verb == "list":
            answer = (resource.group, resource.version, resource.list_kind)
        operation = _operation(resource, name, action, gvk, codes, ref(*answer))
        if parameters:
            operation["parameters"] = parameters
        if body:
            operation["requestBody"] = _body(body, ref, gvk, resource.custom)
        out[method] = operation
    return out


def _operation(resource: Resource, name: str, action: str, gvk: tuple[str, str, str], codes: tuple[str, ...], schema: Json) -> Json:
    answers: Json = {
        code: {"description": _CODES[code], "content": {media: {"schema": schema} for media in _MEDIA}} for code in codes
    }
    answers["401"] = {"description": _CODES["401"]}
    tag = f"{resource.group.split('.')[0] or 'core'}_{resource.version}"
    return {
        "tags": [tag], "operationId": name, "responses": answers, "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(*gvk),
    }


def _body(kind: str, ref: Ref, gvk: tuple[str, str, str], custom: bool) -> Json:
    if kind == "patch":
        schema = {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Patch"}
        return {"required": True, "content": {media: {"schema": schema} for media in _PATCHES if not (custom and media == _STRATEGIC)}}
    if kind == "options":
        return {"content": {"*/*": {"schema": ref(*_OPTIONS)}}}
    return {"required": True, "content": {"*/*": {"schema": ref(*gvk)}}}


def _everywhere(resource: Resource, ref: Ref) -> Json:
    listed = _item(resource, _ON_LIST, ("list",), ref, None)
    listed["get"]["operationId"] = f"list{_group_word(resource)}{resource.kind}ForAllNamespaces"
    return listed


def _connect(resource: Resource, sub: Subresource) -> Json:
    methods = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
    scope = "Namespaced" if resource.namespaced else ""
    out: Json = {}
    for verb in sub.verbs:
        method = methods[verb]
        name = f"connect{_group_word(resource)}{method.capitalize()}{scope}{resource.kind}{_camel(sub.name)}"
        out[method] = {
            "tags": [f"{resource.group.split('.')[0] or 'core'}_{resource.version}"], "operationId": name,
            "responses": {
                "200": {"description": "OK", "content": {"*/*": {"schema": {"type": "string"}}}},
                "401": {"description": "Unauthorized"},
            },
            "x-kubernetes-action": "connect", "x-kubernetes-group-version-kind": _gvk(sub.group, sub.version, sub.kind),
        }
    return out
