"""The rules of the kinds: decoding, defaults, strategies and validation, as the registry calls them.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/rest.go (transformDecodeError) for what is said of bodies that do not
fit their type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.bodies import Raw, summary
from clusterlab.apiserver.defaults import apply_defaults
from clusterlab.apiserver.strategy import (
    app_armor_warnings,
    convert,
    prepare_for_create,
    prepare_for_update,
    warnings_on_create,
    warnings_on_update,
)
from clusterlab.apiserver.validation import validate_create, validate_update
from clusterlab.machinery.convert import decode as decode_object
from clusterlab.machinery.errors import bad_request
from clusterlab.machinery.scheme import group_version, split_api_version

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.machinery.field import FieldError
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]

__all__ = ["Rules"]

_SCHEME = 'in scheme "pkg/api/legacyscheme/scheme.go:30"'


class Rules:
    """What the kinds say of their objects."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    # Decoding.

    def decode(self, call: Call, body: Any) -> Object:
        """The body of a write as a complete object with defaults."""
        resource = call.resource
        storage = call.store.storage
        if call.trusted:
            if body.get("kind") != resource.kind or body.get("apiVersion") != resource.api_version:
                body = {**body, "kind": resource.kind, "apiVersion": resource.api_version}
        else:
            body = self.typed(call, body, resource.group, resource.version, resource.kind)
        body = self.with_defaults(call, body)
        return body if resource is storage else self.converted(body, storage, resource)

    def converted(self, obj: Object, wanted: Resource, given: Resource) -> Object:
        """An object in another version of its resource."""
        if wanted is given or (wanted.group, wanted.version) == (given.group, given.version):
            return obj
        if wanted.custom:
            return self.server.custom.converted(wanted, obj)
        return convert(wanted, obj, wanted.version)

    def with_defaults(self, call: Call, obj: Object) -> Object:
        """The object with the defaults of its kind."""
        if call.resource.custom:
            return self.server.custom.with_defaults(call.resource, obj)
        return apply_defaults(call.resource, obj)

    def typed(self, call: Call, body: Any, group: str, version: str, kind: str) -> Object:
        """A body decoded as a kind; raises BadRequest with a Go server's words."""
        duplicates: list[str] = []
        data = b""
        if isinstance(body, Raw):
            data = body.data
            body = body.parsed(kind, duplicates)
            if body is None and data.strip() == b"null":  # Go reads null into a struct as nothing at all
                body = {}
        if not isinstance(body, dict):
            text = "couldn't get version/kind; json parse error: json: cannot unmarshal " + _json_kind(body) + (
                " into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
                "\"json:\\\"kind,omitempty\\\"\" }"
            )
            raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {text} ({summary(data)})")
        self._check_kind(body, group, version, kind, data)
        if self.server.scheme.by_gvk(group, version, kind) is call.resource and call.resource.custom:
            made = self.server.custom.decode(call, body, duplicates)
            return {**made, "kind": kind, "apiVersion": group_version(group, version)}
        made, warnings = decode_object(group, version, kind, body, call.options.get("fieldValidation") or "Warn", duplicates)
        for text in warnings:
            call.warn(text)
        made.update(kind=kind, apiVersion=group_version(group, version))
        return made

    def _check_kind(self, body: Object, group: str, version: str, kind: str, data: bytes) -> None:
        for field in ("apiVersion", "kind"):
            value = body.get(field)
            if value is not None and not isinstance(value, str):
                text = f"couldn't get version/kind; json parse error: json: cannot unmarshal {_json_kind(value)} into Go struct field"
                raise bad_request(
                    f"the object provided is unrecognized (must be of type {kind}): {text} .{field} of type string ({summary(data)})"
                )
        given_kind, given = body.get("kind") or kind, body.get("apiVersion") or group_version(group, version)
        if given_kind == kind and given == group_version(group, version):
            return
        given_group, given_version = split_api_version(given)
        if (kind, given_kind, given) == ("Eviction", "Eviction", "policy/v1beta1"):
            return  # which is still taken, though nothing else of that version is (registry/core/pod/storage/eviction.go)
        head = f'{given_kind} in version "{given_version}" cannot be handled as a {kind}: '
        if self.server.scheme.by_gvk(given_group, given_version, given_kind) is None:
            raise bad_request(f'{head}no kind "{given_kind}" is registered for version "{given}" {_SCHEME}')
        if given_kind == kind and given_group == group:
            raise bad_request(
                f"the API version in the data ({given}) does not match the expected API version ({group_version(group, version)})"
            )
        ours = group or "core"
        raise bad_request(f"{head}converting ({given_version}.{given_kind}) to ({ours.split('.')[0]}.{kind}): unknown conversion")

    # Strategies and validation. Objects are in the storage version here.

    def prepare_for_create(self, call: Call, obj: Object) -> Object:
        """The object as its strategy lets it be created."""
        if call.store.label == "pods" and not call.trusted:
            for text in app_armor_warnings(obj):  # before the annotations become fields
                call.warn(text)
        return prepare_for_create(call.store.storage, obj)

    def prepare_for_update(self, call: Call, new: Object, old: Object) -> Object:
        """The new object as its strategy lets the old one be changed."""
        return prepare_for_update(call.store.storage, new, old, call.subresource, self.server.sim.now_rfc3339())

    def validate_create(self, call: Call, obj: Object) -> list[FieldError]:
        """What is wrong with a new object; adds warnings to the answer where nothing is."""
        resource = call.store.storage
        if resource.custom:
            return self.server.custom.validate(resource, obj, None)
        if call.resource.string == "events.events.k8s.io":  # which asks for more than the core API, where the same are stored
            resource = call.resource
        errors = validate_create(resource, obj)
        if not errors and not call.trusted:
            for text in warnings_on_create(resource, obj):
                call.warn(text)
        return errors

    def validate_update(self, call: Call, new: Object, old: Object) -> list[FieldError]:
        """What is wrong with a changed object; adds warnings to the answer where nothing is."""
        resource = call.store.storage
        if resource.custom:
            return self.server.custom.validate(resource, new, old, call.subresource)
        if call.resource.string == "events.events.k8s.io":
            resource = call.resource
        errors = validate_update(resource, new, old, call.subresource)
        if not errors and not call.trusted:
            for text in warnings_on_update(resource, new, old):
                call.warn(text)
        return errors


def _json_kind(value: Any) -> str:
    if isinstance(value, list):
        return "array"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    return "null" if value is None else "number"
