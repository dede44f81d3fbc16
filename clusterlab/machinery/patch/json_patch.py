"""JSON patch (RFC 6902) with the behaviour and errors of gopkg.in/evanphx/json-patch v4 (patch.go), which the API server uses.

Its quirks are kept: `replace` of a missing key of an object adds it, negative indexes count from the end.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from clusterlab.machinery.patch.errors import PatchError, same

__all__ = ["OPERATIONS_MOST", "apply_json_patch"]

OPERATIONS_MOST = 10_000
#: What all copies of one patch may add, in bytes: copies of copies double.
COPIED_MOST = 3 * 1024 * 1024

_MISSING = "missing value"
_ABSENT = object()


def apply_json_patch(document: Any, patch: Any) -> Any:
    """The document with all operations done in order; raises PatchError."""
    if not isinstance(patch, list):
        kind = "object" if isinstance(patch, dict) else "string" if isinstance(patch, str) else "number"
        raise PatchError(f"json: cannot unmarshal {kind} into Go value of type jsonpatch.Patch", 400)
    if len(patch) > OPERATIONS_MOST:
        most = f"The allowed maximum operations in a JSON patch is {OPERATIONS_MOST}, got {len(patch)}"
        raise PatchError(f"Request entity is too large: {most}", 413)
    owned: _Owned = {}
    copied = 0
    for operation in patch:
        if not isinstance(operation, dict):
            raise PatchError("Unexpected kind: unknown")
        op = operation.get("op")
        done = _OPERATIONS.get(op) if isinstance(op, str) else None
        if done is None:
            raise PatchError(f"Unexpected kind: {op if isinstance(op, str) else 'unknown'}")
        if op == "copy":
            copied += _size(_taken(document, operation, "copy")[0])
            if copied > COPIED_MOST:
                most = f"exceeding the limit {COPIED_MOST}"
                raise PatchError(f"Unable to complete the copy, the accumulated size increase of copy is {copied}, {most}")
        document = done(document, operation, owned)
    return document


#: Containers that were made for this patch, by id: only these are changed in place, so that many operations on a large object stay cheap.
_Owned = dict[int, Any]


def _size(value: Any) -> int:
    try:
        return 0 if value is _ABSENT else len(orjson.dumps(value))
    except TypeError:
        raise PatchError("exceeded max depth") from None


def _mine(container: Any, owned: _Owned) -> Any:
    """The container itself if it was made here, else a copy that was."""
    if id(container) not in owned:
        container = dict(container) if isinstance(container, dict) else list(container)
        owned[id(container)] = container
    return container


def _own_copy(value: Any) -> Any:
    """A copy that shares nothing that may be changed."""
    if isinstance(value, dict):
        return {name: _own_copy(item) for name, item in value.items()}
    return [_own_copy(item) for item in value] if isinstance(value, list) else value


# Pointers.


def _split(path: str) -> list[str] | None:
    parts = path.split("/")
    return [part.replace("~1", "/").replace("~0", "~") for part in parts[1:]] if len(parts) > 1 else None


def _atoi(key: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", key):
        raise PatchError(f'strconv.Atoi: parsing "{key}": invalid syntax')
    return int(key)


def _index(container: list[Any], key: str, size: int, most: int) -> int:
    at = _atoi(key)
    if at > most or at < -size:
        raise PatchError(f"Unable to access invalid index: {at}: invalid index referenced")
    return at + size if at < 0 else at


def _get(container: Any, key: str) -> Any:
    """The value under a key: _ABSENT if an object lacks it; an error for a bad index."""
    if isinstance(container, dict):
        return container.get(key, _ABSENT)
    return container[_index(container, key, len(container), len(container) - 1)]


def _find(document: Any, parts: list[str]) -> Any:
    """The container of the last part, or None."""
    for part in parts[:-1]:
        try:
            document = _get(document, part)
        except PatchError:
            return None
        if not isinstance(document, dict | list):
            return None
    return document if isinstance(document, dict | list) else None


def _change(document: Any, parts: list[str], owned: _Owned, action: str, value: Any = None) -> Any:
    """The document with the last part of the path added, set or removed; what is on the way is copied once."""
    head, *rest = parts
    if rest:
        child = _change(_get(document, head), rest, owned, action, value)
        return _put(document, head, child, owned)
    if action == "add":
        return _add(document, head, value, owned)
    if action == "set":
        return _put(document, head, value, owned)
    return _drop(document, head, owned)


def _put(container: Any, key: str, value: Any, owned: _Owned) -> Any:
    at = key if isinstance(container, dict) else _index(container, key, len(container), len(container) - 1)
    container = _mine(container, owned)
    container[at] = value
    return container


def _add(container: Any, key: str, value: Any, owned: _Owned) -> Any:
    if isinstance(container, dict):
        return _put(container, key, value, owned)
    at = len(container)
    if key != "-":
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", key):
            raise PatchError(f"value was not a proper array index: '{key}': strconv.Atoi: parsing \"{key}\": invalid syntax")
        size = len(container) + 1
        at = _index(container, key, size, size - 1)
    container = _mine(container, owned)
    container.insert(at, value)
    return container


def _drop(container: Any, key: str, owned: _Owned) -> Any:
    if isinstance(container, dict):
        if key not in container:
            raise PatchError(f"Unable to remove nonexistent key: {key}: {_MISSING}")
        container = _mine(container, owned)
        del container[key]
        return container
    at = _index(container, key, len(container), len(container) - 1)
    container = _mine(container, owned)
    del container[at]
    return container


# Operations.


def _path(operation: dict[str, Any], failed: str, field: str = "path") -> str:
    path = operation.get(field)
    if isinstance(path, str):
        return path
    raise PatchError(f"{failed}: {_MISSING}")


def _do_add(document: Any, operation: dict[str, Any], owned: _Owned) -> Any:
    path = _path(operation, "add operation failed to decode path")
    missing = f'add operation does not apply: doc is missing path: "{path}"'
    return _checked_add(document, path, operation.get("value"), missing, owned)


def _checked_add(document: Any, path: str, value: Any, missing: str, owned: _Owned) -> Any:
    parts = _split(path)
    if parts is None or _find(document, parts) is None:
        raise PatchError(f"{missing}: {_MISSING}")
    try:
        return _change(document, parts, owned, "add", value)
    except PatchError as error:
        raise PatchError(f"error in add for path: '{path}': {error}") from None


def _do_remove(document: Any, operation: dict[str, Any], owned: _Owned) -> Any:
    path = _path(operation, "remove operation failed to decode path")
    parts = _split(path)
    if parts is None or _find(document, parts) is None:
        raise PatchError(f'remove operation does not apply: doc is missing path: "{path}": {_MISSING}')
    try:
        return _change(document, parts, owned, "remove")
    except PatchError as error:
        raise PatchError(f"error in remove for path: '{path}': {error}") from None


def _do_replace(document: Any, operation: dict[str, Any], owned: _Owned) -> Any:
    path = _path(operation, "replace operation failed to decode path: operation missing path field")
    value = operation.get("value")
    if path == "":
        if not isinstance(value, dict | list):
            raise PatchError("replace operation value must be object or array: %!w(<nil>)")
        return value
    parts = _split(path)
    container = _find(document, parts) if parts is not None else None
    if parts is None or container is None:
        raise PatchError(f"replace operation does not apply: doc is missing path: {path}: {_MISSING}")
    try:
        _get(container, parts[-1])
    except PatchError:
        raise PatchError(f"replace operation does not apply: doc is missing key: {path}: {_MISSING}") from None
    return _change(document, parts, owned, "set", value)


def _taken(document: Any, operation: dict[str, Any], verb: str) -> tuple[Any, list[str]]:
    path = _path(operation, f"{verb} operation failed to decode from: operation, missing from field", "from")
    parts = _split(path)
    container = _find(document, parts) if parts is not None else None
    if parts is None or container is None:
        raise PatchError(f"{verb} operation does not apply: doc is missing from path: {path}: {_MISSING}")
    try:
        found = _get(container, parts[-1])
    except PatchError as error:
        text = f"error in move for path: '{parts[-1]}'" if verb == "move" else f"error in copy for from: '{path}'"
        raise PatchError(f"{text}: {error}") from None
    return found, parts


def _do_move(document: Any, operation: dict[str, Any], owned: _Owned) -> Any:
    found, parts = _taken(document, operation, "move")
    try:
        document = _change(document, parts, owned, "remove")
    except PatchError as error:
        raise PatchError(f"error in move for path: '{parts[-1]}': {error}") from None
    return _arrive(document, operation, "move", found, owned)


def _do_copy(document: Any, operation: dict[str, Any], owned: _Owned) -> Any:
    found, _ = _taken(document, operation, "copy")
    return _arrive(document, operation, "copy", None if found is _ABSENT else _own_copy(found), owned)


def _arrive(document: Any, operation: dict[str, Any], verb: str, value: Any, owned: _Owned) -> Any:
    tail = ": operation missing path field" if verb == "move" else ""
    path = _path(operation, f"{verb} operation failed to decode path{tail}")
    missing = f"{verb} operation does not apply: doc is missing destination path: {path}"
    try:
        return _checked_add(document, path, value, missing, owned)
    except PatchError as error:
        text = str(error)
        if verb == "move":
            text = text.replace("error in add for path:", "error in move for path:", 1)
        else:
            text = text.replace(f"error in add for path: '{path}'", "error while adding value during copy", 1)
        raise PatchError(text) from None


def _do_test(document: Any, operation: dict[str, Any], owned: _Owned) -> Any:
    path = _path(operation, "test operation failed to decode path: operation missing path field")
    expected = operation.get("value")
    if path == "":
        found = document
    else:
        parts = _split(path)
        container = _find(document, parts) if parts is not None else None
        if parts is None or container is None:
            raise PatchError(f"test operation does not apply: is missing path: {path}: {_MISSING}")
        try:
            found = _get(container, parts[-1])
        except PatchError as error:
            raise PatchError(f"error in test for path: '{path}': {error}") from None
    if not same(None if found is _ABSENT else found, expected):
        raise PatchError(f"testing value {path} failed: test failed")
    return document


_OPERATIONS = {
    "add": _do_add, "remove": _do_remove, "replace": _do_replace, "move": _do_move, "copy": _do_copy, "test": _do_test,
}
