"""Reading bodies in Kubernetes' protobuf form, which kubectl's typed commands send (create, expose, autoscale, …).

Follows apimachinery/pkg/runtime/serializer/protobuf/protobuf.go: four bytes of magic, then a runtime.Unknown that carries the
object. Field numbers are in data/protobuf.json (facts from the generated.proto files). The outcome is plain JSON values for the
same decoding as any other body. Answers are always JSON, which these clients accept.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from struct import unpack
from typing import Any

import orjson

__all__ = ["MEDIA_TYPE", "ProtobufError", "decode"]

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
_DEPTH_MOST = 100
_RENAMED = {
    ("MutatingWebhookConfiguration", "Webhooks"): "webhooks", ("ValidatingWebhookConfiguration", "Webhooks"): "webhooks",
    ("Validation", "Expression"): "expression", ("Variable", "Name"): "name", ("Variable", "Expression"): "expression",
    ("BoundObjectReference", "uID"): "uid", ("IngressClassParametersReference", "aPIGroup"): "apiGroup",
    ("JSONSchemaProps", "schema"): "$schema", ("JSONSchemaProps", "ref"): "$ref",
    **{("JSONSchemaProps", f"xKubernetes{name.title().replace('-', '')}"): f"x-kubernetes-{name}" for name in (
        "preserve-unknown-fields", "embedded-resource", "int-or-string", "list-map-keys", "list-type", "map-type", "validations",
    )},
}

Field = tuple[str, str, str]  # JSON name; o(ptional), r(epeated), m(ap) or i(nlined); type


class ProtobufError(ValueError):
    """A body that is not what it should be."""


@cache
def _table() -> tuple[dict[str, str], dict[str, dict[int, Field]]]:
    data = orjson.loads(files("clusterlab.apiserver").joinpath("data/protobuf.json").read_bytes())
    messages: dict[str, dict[int, Field]] = {}
    for name, fields in data["messages"].items():
        short = name.rsplit(".", 1)[1]
        messages[name] = {
            int(number): (_RENAMED.get((short, field), field), label, kind) for number, (field, label, kind) in fields.items()
        }
    return data["kinds"], messages


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _records(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, raw value): an int for varints and fixed numbers, bytes for the rest."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        size = 8 if wire == 1 else 4 if wire == 5 else -1
        if wire == 2:
            size, at = _varint(data, at)
        if size < 0 or at + size > len(data):
            raise ProtobufError("unexpected EOF" if wire == 2 else f"illegal wireType {wire}")
        yield tag >> 3, data[at:at + size]
        at += size


def decode(data: bytes) -> dict[str, Any]:
    """The object of a body, with its apiVersion and kind; raises ProtobufError."""
    if not data.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    unknown = dict(_records(data[len(MAGIC):]))
    head = {number: _text(value) for number, value in _records(_bytes(unknown.get(1, b"")))}
    api_version, kind = head.get(1, ""), head.get(2, "")
    group, _, version = api_version.rpartition("/")
    kinds, _ = _table()
    name = kinds.get(f"{group}/{version}/{kind}") or (kinds["meta/v1/DeleteOptions"] if kind == "DeleteOptions" else None)
    if name is None:
        raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')
    made = _message(name, _bytes(unknown.get(2, b"")), 0)
    return {"kind": kind, "apiVersion": api_version, **made}


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ProtobufError("wrong wireType")
    return value


def _text(value: Any) -> str:
    return _bytes(value).decode("utf-8", "replace")


def _signed(value: Any, bits: int) -> int:
    if not isinstance(value, int):
        raise ProtobufError("wrong wireType")
    value &= (1 << bits) - 1
    return int(value) - (1 << bits) if value >> (bits - 1) else int(value)


def _double(value: Any) -> float:
    found: float = unpack("<d", _bytes(value))[0]
    return found


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": _text, "bool": bool, "int32": lambda value: _signed(value, 32), "int64": lambda value: _signed(value, 64),
    "double": _double, "bytes": lambda value: b64encode(_bytes(value)).decode(),
}


def _value(kind: str, value: Any, depth: int) -> Any:
    scalar = _SCALARS.get(kind)
    return scalar(value) if scalar is not None else _message(kind, _bytes(value), depth + 1)


def _message(name: str, data: bytes, depth: int) -> Any:
    if depth > _DEPTH_MOST:
        raise ProtobufError("exceeded max depth")
    special = _SPECIAL.get(name)
    if special is not None:
        return special(data)
    fields = _table()[1][name]
    out: dict[str, Any] = {}
    for number, value in _records(data):
        field = fields.get(number)
        if field is None:
            continue
        key, label, kind = field
        if label == "m":
            entry = dict(_records(_bytes(value)))
            out.setdefault(key, {})[_text(entry.get(1, b""))] = _value(kind, entry.get(2, b""), depth)
        elif label == "i":
            inner = _message(kind, _bytes(value), depth + 1)
            if isinstance(inner, dict):
                out.update(inner)
        elif label == "r":
            out.setdefault(key, []).extend(_packed(kind, value) or [_value(kind, value, depth)])
        else:
            out[key] = _value(kind, value, depth)
    if set(out) == {"items"} and name.endswith(("ExtraValue", "Verbs")):
        return out["items"]
    return out


def _packed(kind: str, value: Any) -> list[Any]:
    if kind not in ("int32", "int64") or not isinstance(value, bytes):
        return []
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(_SCALARS[kind](number))
    return found


# Types with a JSON form of their own.


def _time(data: bytes) -> str | None:
    found = dict(_records(data))
    seconds = _signed(found.get(1, 0), 64)
    if not found or seconds < -62135596800 + 1:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        raise ProtobufError("time out of range") from None


def _micro_time(data: bytes) -> str | None:
    stamp = _time(data)
    if stamp is None:
        return None
    nanos = _signed(dict(_records(data)).get(2, 0), 32)
    return f"{stamp[:-1]}.{nanos // 1000:06d}Z"


def _int_or_string(data: bytes) -> Any:
    found = dict(_records(data))
    return _text(found.get(3, b"")) if found.get(1, 0) else _signed(found.get(2, 0), 32)


def _quantity(data: bytes) -> str:
    return _text(dict(_records(data)).get(1, b"0"))


def _raw(data: bytes) -> Any:
    text = dict(_records(data)).get(1, b"")
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        raise ProtobufError("embedded object is not JSON") from None


def _either(data: bytes) -> Any:
    """JSONSchemaPropsOrBool and its like: a schema, or a plain value."""
    found = dict(_records(data))
    schema = f"{_EXTENSIONS}JSONSchemaProps"
    for number in (2, 1):
        value = found.get(number)
        if isinstance(value, bytes):
            return _message(_schema_name(schema), value, 1)
    return bool(found.get(1, 0))


def _schema_name(default: str) -> str:
    return next((name for name in _table()[1] if name.endswith(".JSONSchemaProps")), default)


def _duration(data: bytes) -> str:
    return f"{_signed(dict(_records(data)).get(1, 0), 64)}ns"


_META = "apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "apiextensions_apiserver.pkg.apis.apiextensions.v1."
_SPECIAL: dict[str, Callable[[bytes], Any]] = {
    f"{_META}Time": _time, f"{_META}MicroTime": _micro_time, f"{_META}FieldsV1": _raw, f"{_META}Duration": _duration,
    "apimachinery.pkg.util.intstr.IntOrString": _int_or_string, "apimachinery.pkg.api.resource.Quantity": _quantity,
    "apimachinery.pkg.runtime.RawExtension": _raw, f"{_EXTENSIONS}JSON": _raw, f"{_EXTENSIONS}JSONSchemaPropsOrBool": _either,
    f"{_EXTENSIONS}JSONSchemaPropsOrArray": _either,
}
