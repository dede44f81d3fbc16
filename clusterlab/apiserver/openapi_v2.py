"""/openapi/v2 in protobuf, the only form in which older parts of kubectl ask for it.

Follows github.com/google/gnostic-models/openapiv2/OpenAPIv2.proto; only the types are told: that is what validation of Lists and of
unknown kinds reads, and what explain prints in its older form. Paths are in the JSON form.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
import yaml

from clusterlab.machinery.openapi import document_v2

__all__ = ["MEDIA_TYPE", "json_document", "protobuf_document"]

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"

Json = dict[str, Any]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _named(number: int, name: str, value: bytes) -> bytes:
    return _bytes(number, _text(1, name) + _bytes(2, value))


def _any(value: Any) -> bytes:
    return _text(2, yaml.safe_dump(value))


def _schema(schema: Json) -> bytes:
    parts = []
    if "$ref" in schema:
        parts.append(_text(1, schema["$ref"]))
    if "format" in schema:
        parts.append(_text(2, schema["format"]))
    if schema.get("description"):
        parts.append(_text(4, schema["description"]))
    parts += [_text(19, name) for name in schema.get("required") or ()]
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        parts.append(_bytes(21, _bytes(1, _schema(extra))))
    elif extra is True:
        parts.append(_bytes(21, b"\x10\x01"))
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        parts.append(_bytes(22, b"".join(_text(1, kind) for kind in kinds)))
    if isinstance(schema.get("items"), dict):
        parts.append(_bytes(23, _bytes(1, _schema(schema["items"]))))
    if schema.get("properties"):
        parts.append(_bytes(25, b"".join(_named(1, name, _schema(part)) for name, part in schema["properties"].items())))
    parts += [_named(31, key, _any(value)) for key, value in schema.items() if key.startswith("x-kubernetes-")]
    return b"".join(parts)


def protobuf_document(custom: Json) -> bytes:
    """The types of all kinds as an openapi.v2.Document. `custom`: those of custom resources, by name."""
    return _built_in() + (_bytes(9, _definitions(custom)) if custom else b"")  # messages that come twice are merged


def json_document(custom: Json) -> bytes:
    """The same in JSON, with the paths of the built-in kinds."""
    document = document_v2()
    if not custom:
        return document
    begin = b'"definitions":{'  # the first one is the document's own: its paths know no such key
    return document.replace(begin, begin + orjson.dumps(custom)[1:-1] + b",", 1)


def _definitions(schemas: Json) -> bytes:
    return b"".join(_named(1, name, _schema(schema)) for name, schema in schemas.items())


@cache
def _built_in() -> bytes:
    document = orjson.loads(document_v2())
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    return _text(1, document["swagger"]) + _bytes(2, info) + _bytes(8, b"") + _bytes(9, _definitions(document["definitions"]))
