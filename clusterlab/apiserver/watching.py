"""Opening a watch over HTTP: from which version, with which events first.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/{get.go,watch.go} and pkg/storage/cacher/cacher.go (Watch).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.answers import warning_headers
from clusterlab.apiserver.call import Call
from clusterlab.apiserver.encoding import WatchEncoder
from clusterlab.apiserver.external_watch import INITIAL_EVENTS_END, ExternalWatch
from clusterlab.apiserver.registry.derived import implied, source_of
from clusterlab.apiserver.registry.read import matcher, unreadable_version
from clusterlab.client.api import Request, User
from clusterlab.machinery.errors import StatusError, invalid
from clusterlab.machinery.field import FieldError
from clusterlab.machinery.strconv import parse_uint

if TYPE_CHECKING:
    from clusterlab.apiserver.negotiation import Accepted
    from clusterlab.apiserver.routes import Route
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.machinery.scheme import Resource

__all__ = ["open_watch"]

#: How long a watch lives where the client says nothing, in seconds. The server draws it from thirty minutes to an hour.
DEFAULT_TIMEOUT_S = 1800


def open_watch(
    server: ApiServer, user: User, route: Route, resource: Resource, options: dict[str, Any], accepted: Accepted, include: str,
) -> ExternalWatch:
    """Opens a watch; raises a Status where the request is refused before anything is sent."""
    if route.name and route.by_prefix:
        own = f"metadata.name={route.name}"
        options["fieldSelector"] = f"{options['fieldSelector']},{own}" if options.get("fieldSelector") else own
    namespace = route.namespace if resource.namespaced else ""
    request = Request("watch", resource.string, user, namespace, "", version=resource.version, options=options, warnings=server.warnings)
    call = server.open_call(request)
    match = matcher(call)
    _check(options)
    encode = WatchEncoder(server, resource, accepted, include)
    media = accepted.media
    watch = ExternalWatch(
        server.cache, call.store.bucket, namespace, match, encode, media, [], resource,
        float(options.get("timeoutSeconds") or DEFAULT_TIMEOUT_S), bool(options.get("allowWatchBookmarks")),
    )
    source = source_of(call.store.label)
    if source is not None:
        watch.source = server.stores[source[0]].bucket, source[1]
    watch.headers += warning_headers(request.warnings)
    try:
        _first_events(server, call, watch)
    except StatusError as error:
        if error.code != 410:
            raise
        watch.push("ERROR", error.status)
        watch.closed = True
        return watch
    server.cache.add_external(watch)
    return watch


def _check(options: dict[str, Any]) -> None:
    initial, match = options.get("sendInitialEvents"), options.get("resourceVersionMatch")
    errors = []
    path = "resourceVersionMatch"
    if initial is not None:
        if match != "NotOlderThan":
            detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            errors.append(FieldError("FieldValueForbidden", path, detail=detail))
    elif match is not None:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(FieldError("FieldValueForbidden", path, detail=detail))
    if match not in (None, "NotOlderThan"):
        errors.append(FieldError("FieldValueNotSupported", path, match, 'supported values: "NotOlderThan"'))
    if errors:
        raise invalid("ListOptions", "meta.k8s.io", "", errors)
    version = options.get("resourceVersion") or ""
    if version and parse_uint(version) is None:
        raise StatusError({  # 500 in Kubernetes; kubectl prints both alike
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": unreadable_version(version), "code": 400,
        })


def _first_events(server: ApiServer, call: Call, watch: ExternalWatch) -> None:
    options = call.options
    version = int(options.get("resourceVersion") or 0)
    initial = options.get("sendInitialEvents")
    current = server.storage.revision
    if initial or (not version and initial is None):
        bucket = call.store.bucket
        for key in bucket.ordered():
            obj = bucket.objects[key]
            if watch.selects(key, obj):
                watch.push("ADDED", obj)
        if watch.source is not None:
            for name, obj in implied(server, bucket.label).items():
                if name not in bucket.objects and watch.selects(name, obj):
                    watch.push("ADDED", obj)
        if initial and watch.bookmarks:
            watch.push("BOOKMARK", _bookmark(call, current, True))
        return
    if not version:
        return
    if version > current:
        # The client has seen a future that was undone, or made the number up: it waits for what comes after.
        return
    for write in server.cache.since(call.store.bucket.label, version):
        watch.offer(write)
    if watch.source is not None:
        for write in server.cache.since(watch.source[0].label, version):
            watch.follow(write)


def _bookmark(call: Call, revision: int, initial_end: bool = False) -> dict[str, Any]:
    meta: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        meta["annotations"] = {INITIAL_EVENTS_END: "true"}
    return {"kind": call.resource.kind, "apiVersion": call.resource.api_version, "metadata": meta}
