"""HTTP: one function from a request to an answer or an open watch. It knows no sockets.

Follows staging/src/k8s.io/apiserver/pkg/server (handler.go, healthz) and pkg/endpoints/{installer.go,handlers/rest.go}. Every
refusal is a Status object; an unexpected failure becomes a 500 Status and leaves nothing half written, since a request writes only
as its last act.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from clusterlab.apiserver import discovery, health, listing, options, routes, tokens
from clusterlab.apiserver.answers import HttpAnswer, plain, warning_headers
from clusterlab.apiserver.authentication import authenticate
from clusterlab.apiserver.bodies import Raw
from clusterlab.apiserver.encoding import dump, shaped
from clusterlab.apiserver.negotiation import Accepted, accept, media_type
from clusterlab.apiserver.watching import open_watch
from clusterlab.client.api import Request, User
from clusterlab.machinery.errors import StatusError, internal_error, too_large, unrouted

if TYPE_CHECKING:
    from clusterlab.apiserver.external_watch import ExternalWatch
    from clusterlab.apiserver.routes import Route
    from clusterlab.apiserver.server import ApiServer

__all__ = ["MAX_BODY", "HttpAnswer", "answering", "handle", "preparing"]

MAX_BODY = 3 * 1024 * 1024
_PATCHES = {
    "application/json-patch+json": "json", "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic", "application/apply-patch+yaml": "apply",
    "application/apply-patch+cbor": "",
}
_OPTION_KINDS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions", "delete": "DeleteOptions",
                 "deletecollection": "DeleteOptions"}


def handle(
    server: ApiServer, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b"",
    user: User | None = None,
) -> HttpAnswer | ExternalWatch:
    """Answers a request. `headers` have lower-case names. `user` is who asks where no Authorization header says so (the lab's
    owner if None)."""
    head = headers or {}
    server.warnings = []
    try:
        if len(body) > MAX_BODY:
            raise too_large(f"Request entity too large: limit is {MAX_BODY}")
        answer = _handle(server, method.upper(), path, query, head, body, user)
        assert not isinstance(answer, LongAnswer)
        return answer
    except Exception as error:
        return _refused(server, error, query, head)


def answering(
    server: ApiServer, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes,
) -> Generator[None, None, HttpAnswer | ExternalWatch]:
    """`handle` in small pieces: it yields while it writes down a long list, so that a host can give way to others; what it returns is what
    `handle` would have returned at the first piece, whatever happens meanwhile."""
    server.warnings = []
    try:
        if len(body) > MAX_BODY:
            raise too_large(f"Request entity too large: limit is {MAX_BODY}")
        answer = _handle(server, method.upper(), path, query, headers, body, None, in_pieces=True)
        if not isinstance(answer, LongAnswer):
            return answer
        parts = []
        for part in answer.parts:
            parts.append(part)
            yield
        return HttpAnswer(answer.code, answer.headers, b"".join(parts))
    except Exception as error:
        return _refused(server, error, query, headers)


class LongAnswer(NamedTuple):
    """An answer whose body is yet to be written down."""

    code: int
    headers: list[tuple[str, str]]
    parts: Iterator[bytes]


def _refused(server: ApiServer, error: Exception, query: str, headers: Mapping[str, str]) -> HttpAnswer:
    if isinstance(error, StatusError):
        return _failure(server, error, _pretty(options.parse_query(query), headers))
    if isinstance(error, RecursionError):
        return _failure(server, internal_error("the object is nested too deeply"))
    server.failures.append(error)
    return _failure(server, internal_error(f"{type(error).__name__}: the request could not be served"))


def preparing(server: ApiServer, method: str, path: str, headers: Mapping[str, str]) -> Iterator[None]:
    """What `handle` would have to do first for a list of whole objects, in small pieces; nothing for other requests."""
    route = routes.parse(method.upper(), path)
    try:
        if method != "GET" or route.verb not in ("list", "watch") or accept(headers.get("accept", "")).kind:
            return
    except StatusError:  # `handle` says so
        return
    resource = server.scheme.by_gvr(route.group, route.version, route.resource)
    store = server.stores.get(resource.string) if resource is not None else None
    if store is not None and server.up:
        yield from server.managed.working_off(store.storage, store.bucket, route.namespace if store.namespaced else "")


def collection_size(server: ApiServer, path: str) -> int:
    """How many objects a DELETE of that path has to look at; 0 where it names no collection."""
    try:
        route = routes.parse("DELETE", path)
    except StatusError:
        return 0
    resource = server.scheme.by_gvr(route.group, route.version, route.resource) if route.verb == "deletecollection" else None
    store = server.stores.get(resource.string) if resource is not None else None
    return len(store.bucket.objects) if store is not None else 0


def _failure(server: ApiServer, error: StatusError, pretty: bool = False) -> HttpAnswer:
    headers = [("Content-Type", "application/json"), *warning_headers(server.warnings)]
    wait = (error.status.get("details") or {}).get("retryAfterSeconds")
    if wait:
        headers.append(("Retry-After", str(wait)))
    text = orjson.dumps(error.status, option=orjson.OPT_INDENT_2) if pretty else orjson.dumps(error.status) + b"\n"
    return HttpAnswer(error.code, headers, text)


def _handle(
    server: ApiServer, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, user: User | None,
    in_pieces: bool = False,
) -> HttpAnswer | ExternalWatch | LongAnswer:
    server.check_up()
    user = authenticate(server, headers, user)
    route = routes.parse(method, path)
    params = options.parse_query(query)
    pretty = _pretty(params, headers)
    if not route.resource:
        return _other(server, route, method, params, headers, user, pretty)
    if not route.verb:
        raise _no_such_method()
    resource = server.scheme.by_gvr(route.group, route.version, route.resource)
    if resource is None or (route.namespace and not resource.namespaced and route.resource != "namespaces"):
        return _not_found(server, route, user)
    if resource.namespaced and not route.namespace and route.verb not in ("list", "watch") and not _create_anywhere(route):
        raise _no_such_method() if not route.name else _no_such_path()
    if not route.subresource and route.verb in ("get", "list", "deletecollection", "delete", "update", "patch", "create") and (
        route.verb not in resource.verbs
    ):
        raise _no_such_path() if route.name and resource.verbs == ("create",) else _no_such_method()
    if route.verb == "create" and route.name and not route.subresource:
        raise _no_such_method()
    if route.subresource == "finalize" and route.verb == "get" and route.resource == "namespaces":
        raise _no_such_method()
    asked = options.parse(params)
    deprecated = server.deprecation(resource)
    if deprecated:
        server.warnings.append(deprecated)
    if route.verb in ("list", "watch") and (asked.pop("watch", False) or route.by_prefix):
        accepted = accept(headers.get("accept", ""))
        include = params.get("includeObject", [""])[0]
        return open_watch(server, user, route, resource, asked, accepted, include)
    request = _request(route, resource.string, user, asked, headers, body, server.warnings)
    if request.subresource in server.connectors and route.verb in ("get", "create", "delete", "patch", "update"):
        return _connect(server, request, method, route, params, headers, body)
    answer = server.serve(request)
    return _answer(server, request, resource, route, answer, headers, params, pretty, in_pieces and method == "GET")


def _create_anywhere(route: Route) -> bool:
    return route.verb == "create" and route.resource == "localsubjectaccessreviews"


def _no_such_path() -> StatusError:
    return unrouted(404, "NotFound", "the server could not find the requested resource")


def _no_such_method() -> StatusError:
    return unrouted(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def _request(
    route: Route, resource: str, user: User, asked: dict[str, Any], headers: Mapping[str, str], body: bytes, warnings: list[str],
) -> Request:
    kind = _OPTION_KINDS.get(route.verb)
    if route.verb in ("delete", "deletecollection") and body:
        options.delete_options(asked, Raw(body, headers.get("content-type", "")).parsed())
    patch_type = ""
    content: Any = None
    if route.verb == "patch":
        media = media_type(headers.get("content-type", ""))
        patch_type = _PATCHES.get(media, "")
        if not patch_type:
            raise unrouted(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    if kind is not None:
        options.write_options(asked, kind, patch_type == "apply")
    if patch_type != "apply":
        asked.setdefault("fieldManager", _manager(headers))
    if route.verb in ("create", "update", "patch"):
        content = Raw(body, headers.get("content-type", ""), patch_type)
    return Request(
        route.verb, resource, user, route.namespace if route.resource != "namespaces" else "", route.name, route.subresource,
        content, route.version, patch_type, asked, warnings=warnings,
    )


def _manager(headers: Mapping[str, str]) -> str:
    """The field manager of a client that names none: the first word of its user agent."""
    agent = headers.get("user-agent", "") or "unknown"
    return agent.split("/", maxsplit=1)[0][:128] or "unknown"


def _pretty(params: options.Query, headers: Mapping[str, str]) -> bool:
    if "pretty" in params:
        return params["pretty"][0].lower() in ("1", "t", "true")
    return headers.get("user-agent", "").startswith(("curl", "Wget", "Mozilla/5.0"))


def _answer(
    server: ApiServer, request: Request, resource: Any, route: Route, answer: Any, headers: Mapping[str, str],
    params: options.Query, pretty: bool, in_pieces: bool,
) -> HttpAnswer | LongAnswer:
    accepted = accept(headers.get("accept", ""))
    if isinstance(answer, HttpAnswer):
        return answer
    code = 201 if route.verb == "create" or server.made(request) else 200
    if answer.get("kind") == "Status" and answer.get("code"):
        code = answer["code"]
    include = params.get("includeObject", [""])[0]
    out = [("Content-Type", accepted.media)]
    if in_pieces and listing.is_long(server, request, resource, answer):
        parts = listing.written(server, resource, answer, accepted, include, pretty or accepted.pretty)
        return LongAnswer(code, out + warning_headers(server.warnings), parts)
    shape = shaped(server, resource, answer, accepted, include)
    out += warning_headers(server.warnings)
    return HttpAnswer(code, out, dump(shape, accepted, pretty or accepted.pretty))


def _connect(
    server: ApiServer, request: Request, method: str, route: Route, params: options.Query, headers: Mapping[str, str], body: bytes,
) -> HttpAnswer:
    """Subresources that are not objects: logs, exec, attach, port-forward, proxy."""
    server.open_call(request)
    server.open_call(request)
    answer: Any = server.connect(request, method, route.rest, params, headers, body)
    if isinstance(answer, str | bytes):
        data = answer.encode() if isinstance(answer, str) else answer
        return HttpAnswer(200, [("Content-Type", "text/plain")], data)
    found: HttpAnswer = answer
    return found


# What is not a resource.


def _other(
    server: ApiServer, route: Route, method: str, params: options.Query, headers: Mapping[str, str], user: User, pretty: bool,
) -> HttpAnswer:
    path = route.path.rstrip("/") or "/"
    server.authorizer.check_path(user, route.verb, route.path)
    if method not in ("GET", "HEAD"):
        raise _no_such_method()
    found = _document(server, path, headers)
    if found is not None:
        accepted, document = found
        media = accepted.media
        if accepted.kind:
            media = f"application/json;g=apidiscovery.k8s.io;v={accepted.version};as={accepted.kind}"
        if path in ("/", "/version"):  # always written for people to read
            return HttpAnswer(200, [("Content-Type", "application/json")], orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return HttpAnswer(200, [("Content-Type", media), ("Vary", "Accept")], dump(document, accepted, pretty))
    keys = tokens.discovery_document(server, path)
    if keys is not None:
        media = "application/jwk-set+json" if path.endswith("jwks") else "application/json"
        return HttpAnswer(200, [("Content-Type", media), ("Cache-Control", "public, max-age=3600")], orjson.dumps(keys))
    told = health.answer(server, path, params)
    if told is not None:
        return told
    if path == "/openapi/v2" or path.startswith("/openapi/v3"):
        return server.openapi(path, headers)
    parts = path.split("/")
    if parts[1] == "api" or (parts[1] == "apis" and len(parts) > 2 and _built_in(server, parts[2])):
        raise _no_such_path()
    return _missing()


def _document(server: ApiServer, path: str, headers: Mapping[str, str]) -> tuple[Accepted, Any] | None:
    parts = path.strip("/").split("/")
    scheme = server.scheme
    document: Any = None
    if path in ("/api", "/apis"):
        accepted = accept(headers.get("accept", ""), discovery=True)
        if accepted.kind == "APIGroupDiscoveryList":
            return accepted, discovery.aggregated(scheme, path == "/api", accepted.version)
        document = discovery.api_versions() if path == "/api" else discovery.groups(scheme)
        return accepted, document
    if path == "/":
        document = {"paths": health.paths(server)}
    elif path == "/version":
        document = health.VERSION
    elif parts[0] == "api" and len(parts) == 2:
        document = discovery.resources(scheme, "", parts[1])
    elif parts[0] == "apis" and len(parts) == 2:
        document = discovery.group(scheme, parts[1])
    elif parts[0] == "apis" and len(parts) == 3:
        document = discovery.resources(scheme, parts[1], parts[2])
    if document is None:
        return None
    return accept(headers.get("accept", "")), document


def _not_found(server: ApiServer, route: Route, user: User) -> HttpAnswer:
    server.authorizer.check_unknown(user, route)
    if _built_in(server, route.group):
        raise _no_such_path()
    return _missing()


def _built_in(server: ApiServer, group: str) -> bool:
    """Whether a group has a router of its own, which answers for unknown paths in it."""
    return any(resource.group == group and not resource.custom for resource in server.scheme)


def _missing() -> HttpAnswer:
    """What a server says of a path that it does not know."""
    return plain(404, "404 page not found\n")
