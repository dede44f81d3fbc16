"""Paths: from a method and a path to what is asked for.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

__all__ = ["Route", "parse"]

_VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


class Route(NamedTuple):
    """A request for resources, or (`resource` is empty) for something else under `path`."""

    path: str
    verb: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows the subresource, for proxies
    by_prefix: bool = False  # the verb came from the path: /api/v1/watch/…


def parse(method: str, path: str) -> Route:
    """What a request asks for."""
    parts = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    other = Route(path, method.lower())
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return other
    group, rest = "", parts[1:]
    if parts[0] == "apis":
        if len(parts) < 4:
            return other
        group, rest = parts[1], parts[2:]
    version, rest = rest[0], rest[1:]
    verb, by_prefix = _VERBS.get(method, ""), False
    if rest[0] in ("watch", "proxy") and len(rest) > 1:
        verb, rest, by_prefix = rest[0], rest[1:], True
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name and verb == "get":
        verb = "list"
    if not name and verb == "delete":
        verb = "deletecollection"
    if rest[0] == "namespaces":
        namespace = name
    return Route(path, verb, group, version, namespace, rest[0], name, subresource, "/".join(rest[3:]), by_prefix)
