"""The rules of the kinds: decoding, defaults, strategies and validation, as the registry calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.machinery.convert import decode as decode_object

try:
    from clusterlab.apiserver.defaults import apply_defaults
except ImportError:
    apply_defaults = None  # type: ignore[assignment]
try:
    from clusterlab.apiserver.strategy import prepare_for_create, prepare_for_update, warnings_on_create
except ImportError:
    prepare_for_create = prepare_for_update = warnings_on_create = None  # type: ignore[assignment]
try:
    from clusterlab.apiserver.validation import validate_create, validate_update
except ImportError:
    validate_create = validate_update = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.machinery.field import FieldError

Object = dict[str, Any]

__all__ = ["Rules"]


class Rules:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def decode(self, call: Call, body: Any) -> Object:
        """The body of a write as a complete object with defaults."""
        resource = call.resource
        if not call.trusted:
            body, warnings = decode_object(
                resource.group, resource.version, resource.kind, body, call.options.get("fieldValidation") or "Warn",
            )
            for text in warnings:
                call.warn(text)
        if body.get("kind") != resource.kind or body.get("apiVersion") != resource.api_version:
            body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        if apply_defaults is None:
            return body
        return apply_defaults(resource, body)

    def prepare_for_create(self, call: Call, obj: Object) -> Object:
        if prepare_for_create is None:
            obj = {key: value for key, value in obj.items() if key != "status"}
            return {**obj, "metadata": {**obj["metadata"], "generation": 1}} if "spec" in obj else obj
        return prepare_for_create(call.resource, obj)

    def prepare_for_update(self, call: Call, new: Object, old: Object) -> Object:
        if prepare_for_update is None:
            if call.subresource == "status":
                return {**old, "metadata": new["metadata"], "status": new.get("status")}
            if "status" in old:
                new = {**new, "status": old["status"]}
            if new.get("spec") != old.get("spec") and "generation" in old["metadata"]:
                new = {**new, "metadata": {**new["metadata"], "generation": old["metadata"]["generation"] + 1}}
            return new
        return prepare_for_update(call.resource, new, old, call.subresource)

    def validate_create(self, call: Call, obj: Object) -> list[FieldError]:
        if validate_create is None:
            return []
        return validate_create(call.resource, obj)

    def validate_update(self, call: Call, new: Object, old: Object) -> list[FieldError]:
        if validate_update is None:
            return []
        return validate_update(call.resource, new, old, call.subresource)
