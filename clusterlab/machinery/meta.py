"""Small accessors on objects: metadata, owners, conditions, equality, hashes. Nothing here changes an object.

Follows staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/{controller_ref,helpers}.go, pkg/api/meta/conditions.go and
pkg/util/hash.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

__all__ = [
    "controller_of",
    "deep_equal",
    "find_condition",
    "fnv32",
    "fnv32a",
    "fnv128a",
    "is_condition_true",
    "is_deleting",
    "name_of",
    "namespace_of",
    "owned_by",
    "owner_reference",
    "owner_references",
    "safe_encode",
    "uid_of",
    "with_condition",
    "with_finalizer",
    "with_meta",
    "without_finalizer",
]

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def name_of(obj: Object) -> str:
    """metadata.name, or ""."""
    name: str = (obj.get("metadata") or {}).get("name") or ""
    return name


def namespace_of(obj: Object) -> str:
    """metadata.namespace, or "" for a cluster-scoped object."""
    namespace: str = (obj.get("metadata") or {}).get("namespace") or ""
    return namespace


def uid_of(obj: Object) -> str:
    """metadata.uid, or ""."""
    uid: str = (obj.get("metadata") or {}).get("uid") or ""
    return uid


def is_deleting(obj: Object) -> bool:
    """Whether deletion has begun."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def with_meta(obj: Object, **changes: Any) -> Object:
    """The object with fields of its metadata set, or dropped where the value is None."""
    meta = {**obj.get("metadata", {}), **changes}
    for key, value in changes.items():
        if value is None:
            del meta[key]
    return {**obj, "metadata": meta}


def with_finalizer(obj: Object, finalizer: str) -> Object:
    """The object with a finalizer added, once."""
    known = obj["metadata"].get("finalizers") or []
    return obj if finalizer in known else with_meta(obj, finalizers=[*known, finalizer])


def without_finalizer(obj: Object, finalizer: str) -> Object:
    """The object without a finalizer."""
    known = obj["metadata"].get("finalizers") or []
    if finalizer not in known:
        return obj
    return with_meta(obj, finalizers=[f for f in known if f != finalizer] or None)


# Owners.


def owner_references(obj: Object) -> list[Object]:
    """metadata.ownerReferences, or an empty list. Not to be changed."""
    refs: list[Object] = obj["metadata"].get("ownerReferences") or []
    return refs


def controller_of(obj: Object) -> Object | None:
    """The reference to the owner that manages this object."""
    for ref in obj["metadata"].get("ownerReferences") or ():
        if ref.get("controller"):
            found: Object = ref
            return found
    return None


def owned_by(obj: Object, owner: Object) -> bool:
    """Whether `owner` manages this object."""
    ref = controller_of(obj)
    return ref is not None and ref["uid"] == owner["metadata"]["uid"]


def owner_reference(owner: Object, api_version: str = "", kind: str = "", controller: bool = True) -> Object:
    """A reference to an owner; to its controller, blocking its deletion, unless told otherwise."""
    meta = owner["metadata"]
    ref: Object = {
        "apiVersion": api_version or owner["apiVersion"], "kind": kind or owner["kind"], "name": meta["name"], "uid": meta["uid"],
    }
    if controller:
        ref["controller"] = True
        ref["blockOwnerDeletion"] = True
    return ref


# Conditions.


def find_condition(conditions: list[Object] | None, kind: str) -> Object | None:
    """The condition of a type."""
    for condition in conditions or ():
        if condition["type"] == kind:
            return condition
    return None


def is_condition_true(conditions: list[Object] | None, kind: str) -> bool:
    """Whether the condition of a type is there and "True"."""
    found = find_condition(conditions, kind)
    return found is not None and found["status"] == "True"


def with_condition(conditions: list[Object] | None, condition: Object, now: str) -> list[Object]:
    """The list with a condition set in its place, or added. lastTransitionTime moves only if the status changes; the same
    list comes back if nothing changes."""
    known = conditions or []
    for i, old in enumerate(known):
        if old["type"] != condition["type"]:
            continue
        moved = old["status"] != condition["status"] or not old.get("lastTransitionTime")
        when = (condition.get("lastTransitionTime") or now) if moved else old["lastTransitionTime"]
        new = {**condition, "lastTransitionTime": when}
        return known if new == old else [*known[:i], new, *known[i + 1:]]
    return [*known, {**condition, "lastTransitionTime": condition.get("lastTransitionTime") or now}]


# Equality and hashes.


def deep_equal(a: Any, b: Any) -> bool:
    """Semantic equality: as `==`, but an absent, null or empty list or map are alike. Shared parts cost nothing."""
    if a is b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        for key, value in a.items():
            other = b.get(key)
            if value is not other and not deep_equal(value, other):
                return False
        return all(key in a or _empty(value) for key, value in b.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(x is y or deep_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b or (_empty(a) and _empty(b))
    return bool(a == b) or (_empty(a) and _empty(b))


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, dict | list) and not value)


def fnv32(data: bytes) -> int:
    """The 32-bit FNV-1 hash."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value * 0x01000193) & 0xFFFFFFFF) ^ byte
    return value


def fnv32a(data: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def fnv128a(data: bytes) -> int:
    """The 128-bit FNV-1a hash."""
    value = 0x6C62272E07BB014262B821756295C58D
    for byte in data:
        value = ((value ^ byte) * 0x1000000000000000000013B) & ((1 << 128) - 1)
    return value


def safe_encode(text: str) -> str:
    """Digits as letters that spell no words, as apimachinery's rand.SafeEncodeString does it."""
    return "".join(_ALPHABET[ord(char) % len(_ALPHABET)] for char in text)
