"""Patching: a patch body applied to an object, by each of the four ways.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.apiserver.bodies import Raw
from clusterlab.machinery.apply import apply
from clusterlab.machinery.convert import DecodeError, decode_node, from_unstructured, json_kind, strict_error
from clusterlab.machinery.errors import StatusError, bad_request, invalid, status, too_large, unsupported_media_type
from clusterlab.machinery.field import FieldError
from clusterlab.machinery.go_order import in_go_order
from clusterlab.machinery.patch import PatchError, apply_json_patch, apply_merge_patch, apply_strategic, left_over
from clusterlab.machinery.patch.errors import go_print
from clusterlab.machinery.schema import node_of
from clusterlab.machinery.scheme import split_api_version

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.machinery.schema import Node

Object = dict[str, Any]

__all__ = ["Patching", "as_client_error"]

MAX_OPERATIONS = 10_000
_NO_MAP = "json: cannot unmarshal {} into Go value of type map[string]interface {{}}"
_SCHEME = "pkg/api/legacyscheme/scheme.go:30"  # what Kubernetes calls its table of kinds


def as_client_error(error: StatusError) -> StatusError:
    """Kubernetes answers some bodies that make no sense with 500 and no reason; kubectl prints them alike with 400."""
    if error.code == 500 and not error.reason:
        return StatusError({**error.status, "code": 400})
    return error


class Patching:
    """Makes the object that a patch asks for."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def patched(self, call: Call, old: Object) -> Object:
        """The object after a JSON, merge or strategic merge patch: decoded, with defaults, in the storage version."""
        request, storage = call.request, call.store.storage
        if call.subresource != "scale":
            old = self.server.rules.converted(old, call.resource, storage)
        duplicates: list[str] = []
        body: Any = request.body.parsed("", duplicates) if isinstance(request.body, Raw) else request.body
        node = self._node(call, old)
        if not call.subresource and _concerns_owners(body):
            store = call.store
            entries = self.server.managed.entries(storage, store.bucket, store.key(call.namespace, request.name))
            old = {**old, "metadata": {**old["metadata"], "managedFields": entries}}
        try:
            if request.patch_type == "json":
                new = self._json(old, body)
            elif request.patch_type == "merge":
                if body is not None and not isinstance(body, dict) and call.options.get("fieldValidation") != "Ignore":
                    raise bad_request(f"error decoding patch: {_NO_MAP.format(json_kind(body))}")
                new = apply_merge_patch(old, body)
            elif node is None or call.resource.custom:
                raise unsupported_media_type(
                    "the body of the request was in an unknown format - accepted media types include: "
                    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
                )
            else:
                new = apply_strategic(old, {} if body is None else body, node)
        except PatchError as error:
            raise self._refusal(error) from None
        if not call.trusted:
            emptied = isinstance(new, dict) and isinstance(new.get("metadata"), dict) and new["metadata"].get("managedFields") == []
            new = self._decoded(call, node, new, duplicates, old)
            if emptied:  # Go tells an empty list from none, and takes it as the wish to have none
                new = {**new, "metadata": {**new["metadata"], "managedFields": []}}
        elif new["metadata"].get("finalizers") == [] or new["metadata"].get("ownerReferences") == []:
            new = {**new, "metadata": {key: value for key, value in new["metadata"].items() if value != []}}
        if call.subresource == "scale":
            return new  # type: ignore[no-any-return]
        return self.server.rules.converted(new, storage, call.resource)

    def _node(self, call: Call, old: Object) -> Node | None:
        if call.subresource == "scale":
            return node_of("autoscaling", "v1", "Scale")
        return self.server.node(call.resource)

    def _json(self, old: Object, body: Any) -> Any:
        if body is None:
            return old
        wrong = _wrong_operations(body)
        if wrong:
            raise bad_request(f"error decoding patch: json: cannot unmarshal {wrong}")
        if len(body) > MAX_OPERATIONS:
            raise too_large(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(body)}")
        return apply_json_patch(old, body)

    def _refusal(self, error: PatchError) -> Exception:
        if error.code == 422:  # what is wrong with the patch is not said (errors.NewGenericServerResponse)
            return status(422, "Invalid", "the server rejected our request due to an error in our request")
        if error.code == 413:
            return too_large(str(error))
        return bad_request(str(error)) if error.code == 400 else as_client_error(status(error.code, "", str(error)))

    def _decoded(self, call: Call, node: Node | None, new: Any, duplicates: list[str], old: Object) -> Object:
        resource = call.resource
        if node is None:
            return new  # type: ignore[no-any-return]
        if not isinstance(new, dict):
            raise bad_request("the patch makes something that is no object")
        kind = "Scale" if call.subresource == "scale" else resource.kind
        if resource.custom and kind != "Scale":
            return self.server.rules.with_defaults(call, self.server.custom.decode(call, new, duplicates))
        group, version = ("autoscaling", "v1") if kind == "Scale" else (resource.group, resource.version)
        api_version = f"{group}/{version}" if group else version
        strategic = call.request.patch_type == "strategic"
        if strategic:
            new = {**new, "apiVersion": api_version, "kind": kind}
        elif new.get("kind") != kind or new.get("apiVersion") != api_version:
            text = f'no kind "{new.get("kind", "")}" is registered for version "{new.get("apiVersion", "")}" in scheme "{_SCHEME}"'
            made_group, made_version = split_api_version(str(new.get("apiVersion") or ""))
            if node_of(made_group, made_version, str(new.get("kind") or "")) is not None:
                wanted = f"{group.partition('.')[0] or 'core'}.{kind}"
                text = f"converting ({made_version}.{new['kind']}) to ({wanted}): unknown conversion"
            raise self._unfit(call, new, text, old)
        try:
            made, unknown = from_unstructured(node, new) if strategic or call.request.patch_type == "apply" else decode_node(node, new)
        except DecodeError as error:
            if call.request.patch_type == "apply":
                gvk = f"{group}/{version}, Kind={kind}"
                named = f"{call.namespace}/{call.request.name}; {gvk}"
                why = f"unable to convert unstructured object to {gvk}: {error}"
                raise status(500, "", f"failed to convert new object ({named}) to proper version: {why}") from None
            raise self._unfit(call, new, str(error), old) from None
        problems = [*duplicates, *unknown]
        wanted = call.options.get("fieldValidation") or "Warn"
        if problems and wanted == "Strict":
            raise self._unfit(call, new, strict_error(problems), old)
        if wanted == "Warn":
            for text in problems:
                call.warn(text)
        if call.subresource == "scale":
            return made
        return self.server.rules.with_defaults(call, made)

    def _unfit(self, call: Call, new: Object, why: str, old: Object) -> StatusError:
        """The refusal of a patch that makes no object of the kind; it quotes what is left of a strategic patch, or what another made."""
        body = call.request.body.parsed("", []) if isinstance(call.request.body, Raw) else call.request.body
        if call.request.patch_type == "strategic":
            shown = go_print(left_over(body, old))
        else:
            entries = self.server.managed.entries(call.store.storage, call.store.bucket, call.store.key(call.namespace, call.request.name))
            if entries and call.subresource != "scale" and isinstance(new.get("metadata"), dict):
                new = {**new, "metadata": {**new["metadata"], "managedFields": entries}}
            new = in_go_order(new, self._node(call, new))
            shown = orjson.dumps(_reordered(new, _touched(body))).decode()
        return invalid("", "", "", [FieldError("FieldValueInvalid", "patch", shown, why)])

    def applied(self, call: Call, old: Object | None) -> Object:
        """The object after a server-side apply, decoded and with defaults; the owners go to `call.entries`."""
        server, resource = self.server, call.resource
        body = call.request.body
        body = body.parsed() if isinstance(body, Raw) else body
        if not isinstance(body, dict):
            text = f"error unmarshaling JSON: while decoding JSON: {_NO_MAP.format(json_kind(body))}"
            raise bad_request(f"error decoding YAML: {text}")
        if not call.options.get("fieldManager"):
            error = FieldError("FieldValueRequired", "fieldManager", detail="is required for apply patch")
            raise invalid("PatchOptions", "meta.k8s.io", "", [error])
        node = server.node(resource)
        if node is None:
            raise unsupported_media_type("the kind has no schema to apply by")
        if not isinstance(body.get("metadata", {}), dict):
            raise bad_request("error decoding YAML: metadata must be an object")
        if (body.get("apiVersion"), body.get("kind")) != (resource.api_version, resource.kind):
            group, _, version = str(body.get("apiVersion") or "").rpartition("/")
            raise bad_request(f"invalid object type: {group}/{version}, Kind={body.get('kind') or ''}")
        name = (body.get("metadata") or {}).get("name")
        if old is None and not name:
            raise bad_request(f"the name of the object ({call.request.name} based on URL) was undeterminable: name must be provided")
        if name not in (None, "", call.request.name):
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.request.name})")
        live = server.presented(resource, old) if old is not None else None
        force = bool(call.options.get("force"))
        try:
            merged = apply(
                live, body, node, resource.api_version, call.manager, server.sim.now_rfc3339(), force, call.subresource,
                server.managed.reset(resource, call.subresource),
            )
        except StatusError as error:
            raise as_client_error(error) from None
        call.entries = merged["metadata"].pop("managedFields")
        if old is None:
            merged["metadata"].setdefault("name", call.request.name)
        return server.rules.converted(self._decoded(call, node, merged, [], {}), call.store.storage, resource)


def _concerns_owners(body: Any) -> bool:
    """Whether a patch touches metadata.managedFields, which objects in storage do not carry."""
    if isinstance(body, list):
        return any(isinstance(one, dict) and str(one.get("path") or "").startswith("/metadata/managedFields") for one in body)
    return isinstance(body, dict) and isinstance(body.get("metadata"), dict) and "managedFields" in body["metadata"]


def _wrong_operations(body: Any) -> str:
    """What Go cannot read of a JSON patch, "" if it can read all."""
    if not isinstance(body, list):
        return f"{json_kind(body)} into Go value of type []handlers.jsonPatchOp"
    for operation in body:
        if operation is None:
            continue
        if not isinstance(operation, dict):
            return f"{json_kind(operation)} into Go value of type handlers.jsonPatchOp"
        for name in ("op", "from", "path"):
            value = operation.get(name)
            if value is not None and not isinstance(value, str):
                return f"{json_kind(value)} into Go struct field jsonPatchOp.{name} of type string"
    return ""


def _touched(body: Any) -> Any:
    """What a patch looked into: the body of a merge patch itself, the paths of a JSON patch as a tree."""
    if not isinstance(body, list):
        return body
    tree: Object = {}
    for operation in body:
        inner = tree
        path = operation.get("path") if isinstance(operation, dict) else None
        for part in str(path or "").split("/")[1:-1]:
            inner = inner.setdefault(part.replace("~1", "/").replace("~0", "~"), {})
    return tree


def _reordered(value: Any, touched: Any) -> Any:
    """Objects that a patch looked into come out of it with their keys sorted."""
    if not isinstance(touched, dict):
        return value
    if isinstance(value, list):
        return [_reordered(item, touched.get(str(i))) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    return {key: _reordered(value[key], touched.get(key)) for key in sorted(value)}
