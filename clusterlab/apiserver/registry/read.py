"""Reading: get and list, with selectors, pages and the meanings of resourceVersion.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/get.go, pkg/storage/etcd3/store.go (GetList), pkg/storage/continue.go
and apimachinery/pkg/apis/meta/internalversion/validation.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.apiserver.registry.update import existing
from clusterlab.apiserver.storage import unreachable
from clusterlab.etcd.cluster import EtcdError
from clusterlab.machinery import labels
from clusterlab.machinery.errors import bad_request, expired, invalid, status
from clusterlab.machinery.field import FieldError
from clusterlab.machinery.fields import FieldSelectorError
from clusterlab.machinery.labels import SelectorError
from clusterlab.machinery.strconv import parse_uint, parse_uint_error

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]
Match = Callable[[Object], bool]

__all__ = ["from_now", "get", "listed", "matcher", "too_new", "unreadable_version"]

_EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with "
    "the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


def get(server: ApiServer, call: Call) -> Object:
    """The verb get."""
    version = call.options.get("resourceVersion") or ""
    if version != "0":
        server.storage.check_quorum()
    wanted = parse_uint(str(version)) if version else 0
    if wanted is None:
        raise status(500, "", unreadable_version(str(version)))
    if wanted > server.storage.revision:
        raise too_new(wanted, server.storage.revision)
    return existing(call)


def too_new(wanted: int, current: int) -> Exception:
    """A resourceVersion from the future."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Too large resource version: {wanted}, current: {current}"
    return status(504, "Timeout", f"Timeout: {message}", {"causes": causes, "retryAfterSeconds": 1})


def _parse_version(version: Any) -> int:
    text = str(version)
    number = parse_uint(text) if text else 0
    if number is None:
        raise bad_request(f"invalid resource version: {unreadable_version(text)}")
    return number


def unreadable_version(text: str) -> str:
    """What is said of a resourceVersion that is no number."""
    return f'resourceVersion: Invalid value: "{text}": {parse_uint_error(text)}'


def matcher(call: Call) -> Match | None:
    """What the request's selectors select; None where they select everything."""
    label_text, field_text = call.options.get("labelSelector"), call.options.get("fieldSelector")
    if not label_text and not field_text:
        return None
    try:
        by_label = labels.parse(label_text) if label_text else None
    except SelectorError as error:
        raise bad_request(str(error)) from None
    try:
        by_field = call.store.field_selector(field_text) if field_text else None
    except FieldSelectorError as error:
        raise bad_request(str(error)) from None
    tests: list[Match] = []
    if by_label is not None and not by_label.empty:
        match_labels = by_label.matches
        tests.append(lambda obj: match_labels(obj["metadata"].get("labels")))
    if by_field is not None and not by_field.empty:
        tests.append(by_field.matches)
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda obj: tests[0](obj) and tests[1](obj)


def listed(server: ApiServer, call: Call) -> Object:
    """The verb list: a list object. `items` share the stored objects."""
    match = matcher(call)
    options = call.options
    check_list_options(call)
    version, start, limit = options.get("resourceVersion") or "", options.get("continue") or "", int(options.get("limit") or 0)
    if version != "0":
        server.storage.check_quorum()
    if start:
        return _continued(server, call, match, str(start), limit)
    wanted = _parse_version(version)
    if wanted > server.storage.revision:
        raise too_new(wanted, server.storage.revision)
    if wanted and options.get("resourceVersionMatch") == "Exact":
        return _page(server, call, match, wanted, "", limit)
    revision = server.storage.revision
    if limit and version != "0":
        return _page(server, call, match, revision, "", limit)
    return _list_object(call, _select(call, match), revision)


def check_list_options(call: Call) -> None:
    """Refuses combinations that mean nothing."""
    options = call.options
    match, version = options.get("resourceVersionMatch"), options.get("resourceVersion") or ""
    errors = []
    if match is not None:
        forbidden = "FieldValueForbidden", "resourceVersionMatch"
        if not version:
            errors.append(FieldError(*forbidden, detail="resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.get("continue"):
            errors.append(FieldError(*forbidden, detail="resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            detail = 'supported values: "Exact", "NotOlderThan", ""'
            errors.append(FieldError("FieldValueNotSupported", "resourceVersionMatch", match, detail))
        elif match == "Exact" and version == "0":
            detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            errors.append(FieldError(*forbidden, detail=detail))
    if "sendInitialEvents" in options:
        errors.append(FieldError("FieldValueForbidden", "sendInitialEvents", detail="sendInitialEvents is forbidden for list"))
    if errors:
        raise invalid("ListOptions", "meta.k8s.io", "", errors)


def _select(call: Call, match: Match | None) -> list[Object]:
    bucket, namespace = call.store.bucket, call.namespace
    objects = bucket.objects
    keys = bucket.ordered()
    if namespace and call.store.namespaced:
        keys = keys[bisect_left(keys, namespace + "/"):bisect_left(keys, namespace + "0")]  # "0" follows "/"
    if match is None:
        return [objects[key] for key in keys]
    return [obj for key in keys if match(obj := objects[key])]


def _list_object(call: Call, items: list[Object], revision: int, **more: Any) -> Object:
    resource = call.resource
    return {
        "kind": resource.list_kind or resource.kind + "List", "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(revision), **more}, "items": items,
    }


def _continued(server: ApiServer, call: Call, match: Match | None, token: str, limit: int) -> Object:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if text[:1] not in (b"{", b""):
            raise bad_request(f"invalid continue token: continue key is not valid: invalid character '{chr(text[0])}' looking for "
                              "beginning of value")
        data = orjson.loads(text)
        revision, start = int(data["rv"]), str(data["start"])
        if data["v"] != "meta.k8s.io/v1":
            raise ValueError
    except binascii.Error:
        at = len(token) // 4 * 4
        raise bad_request(f"invalid continue token: continue key is not valid: illegal base64 data at input byte {at}") from None
    except (ValueError, KeyError, TypeError):
        raise bad_request("invalid continue token: continue key is not valid: unexpected end of JSON input") from None
    if call.options.get("resourceVersion"):
        raise bad_request("specifying resource version is not allowed when using continue")
    if revision == -1:
        revision = server.storage.revision
    return _page(server, call, match, revision, start, limit)


def _page(server: ApiServer, call: Call, match: Match | None, revision: int, start: str, limit: int) -> Object:
    """Up to `limit` objects as they were at a revision, after the key `start`."""
    if revision == server.storage.revision:
        objects: dict[str, Object] = call.store.bucket.objects
        keys = call.store.bucket.ordered()
    else:
        objects = _history(server, call, revision, start)
        keys = sorted(objects)
    namespace = call.namespace if call.store.namespaced else ""
    if namespace:
        keys = keys[bisect_left(keys, namespace + "/"):bisect_left(keys, namespace + "0")]
    first = bisect_right(keys, start) if start else 0
    items: list[Object] = []
    position = first
    while position < len(keys) and (not limit or len(items) < limit):
        obj = objects[keys[position]]
        if match is None or match(obj):
            items.append(obj)
        position += 1
    more: dict[str, Any] = {}
    if position < len(keys):
        more["continue"] = _token(revision, keys[position - 1])
        if match is None:
            more["remainingItemCount"] = len(keys) - position
    return _list_object(call, items, revision, **more)


def _token(revision: int, start: str) -> str:
    data = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_now(token: str) -> str:
    """The token for the same place in what is there when it is used."""
    return _token(-1, str(orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["start"]))


def _history(server: ApiServer, call: Call, revision: int, start: str) -> dict[str, Object]:
    prefix = call.store.bucket.prefix
    try:
        items, _, _ = server.storage.etcd.range(prefix, revision=revision)
    except EtcdError as error:
        if "compacted" not in str(error):
            raise unreachable(error) from None
        if not start:
            message = "The resourceVersion for the provided list is too old."
            raise expired(message) from None
        failure = expired(_EXPIRED_CONTINUE)
        failure.status["metadata"] = {"continue": _token(-1, start)}
        raise failure from None
    return {kv.key[len(prefix):]: kv.value for kv in items}
