"""The documents under /openapi, as clients ask for them.

Follows k8s.io/kube-openapi/pkg/handler3. The documents themselves are made in clusterlab.machinery.openapi.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

from clusterlab.apiserver import openapi_v2
from clusterlab.apiserver.answers import HttpAnswer, plain
from clusterlab.machinery import openapi as documents
from clusterlab.machinery.errors import status

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

__all__ = ["answer"]


def answer(server: ApiServer, path: str, headers: Mapping[str, str]) -> HttpAnswer:
    """Answers a GET under /openapi."""
    accepted = headers.get("accept", "")
    if path == "/openapi/v2" and openapi_v2.MEDIA_TYPE in accepted:
        media = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
        return HttpAnswer(200, [("Content-Type", media), ("Vary", "Accept")], openapi_v2.protobuf_document(server.custom.definitions_v2()))
    if accepted and "json" not in accepted and "*/*" not in accepted:
        raise status(406, "NotAcceptable", "only the following media types are accepted: application/json")
    body = _body(server, path)
    if body is None:
        return plain(404, "404 page not found\n")
    tag = f'"{hashlib.sha256(body).hexdigest()[:32].upper()}"'
    head = [("Content-Type", "application/json"), ("Etag", tag), ("Vary", "Accept")]
    if headers.get("if-none-match") == tag:
        return HttpAnswer(304, head, b"")
    return HttpAnswer(200, head, body)


def _body(server: ApiServer, path: str) -> bytes | None:
    if path == "/openapi/v2":
        return openapi_v2.json_document(server.custom.definitions_v2())
    name = path.removeprefix("/openapi/v3").strip("/")
    if not name:
        return orjson.dumps(documents.index(server.scheme, server.custom.schema_texts()))
    parts = name.split("/")
    if parts[0] == "api" and len(parts) == 2:
        return documents.document("", parts[1])
    if parts[0] == "apis" and len(parts) == 3:
        custom = server.custom.document(parts[1], parts[2])
        return custom if custom is not None else documents.document(parts[1], parts[2])
    return None
